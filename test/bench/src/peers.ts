import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Command, MAIN, toNowhere } from './measure.ts'
import type { PlainPipe } from './plain-pipe.ts'

/** A backup program, set up on one data set in a directory of its own. */
export interface Peer {
  readonly name: string
  /** Where it keeps what it stores, for its size: the first place, where there are several. */
  readonly stored: string
  /** Begins again, with nothing stored. */
  reset(): Promise<void>
  readonly backup: Command
  /** Restores the last backup. @param directory - is there, and empty */
  restore(directory: string): Command
  /** Where below that directory the data set comes to be. */
  readonly restoredTo: string
  /** Where there is nothing but what is stored: caches and states are gone. */
  forget(): void
  /** Restores these paths of the last backup. @param paths - absolute @param directory - is there, and empty */
  restoreSome(paths: readonly string[], directory: string): Command
  /** The last backup as a tar, to nowhere. */
  readonly tar: Command
  /** Reads all that is stored, and checks it. */
  readonly verify: Command
  /** Leaves the last backup alone, and frees what it does not need. */
  readonly prune: Command
}

export interface PipeBackup extends Peer {
  readonly archives: PlainPipe
}

const SINKS = ['one', 'two', 'three'] as const

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}

function empty(directory: string): void {
  remove(directory)
  mkdirSync(directory, { recursive: true })
}

/** This program, into local sinks at once. @param data - absolute @param names - of the sinks */
export function pipeBackup(data: string, work: string, names: readonly string[] = SINKS): PipeBackup {
  const home = join(work, `pipe-backup-${names.length}`)
  const sink = (name: string) => join(home, 'sinks', name)
  const env = { HOME: home, XDG_STATE_HOME: join(home, 'state'), XDG_CONFIG_HOME: join(home, 'config') }
  const command = (...args: string[]): Command => ({
    file: process.execPath,
    args: [MAIN, ...args],
    cwd: home,
    env,
  })
  const phrase = ['--phrase-file', 'phrase']
  const name = names.length === 1 ? 'pipe-backup, 1 sink' : `pipe-backup, ${names.length} sinks`
  return {
    name,
    stored: sink('one'),
    async reset() {
      empty(home)
      for (const name of names) empty(sink(name))
      const sources = [{ type: 'files', name: 'data', paths: [data] }]
      const sinks = names.map((name) => ({ type: 'local', name, path: sink(name) }))
      writeFileSync(
        join(home, 'pipe-backup.json'),
        JSON.stringify({
          vault: 'bench',
          copies: names.length,
          sources,
          sinks,
          keep: { last: 1 },
          grace: '0s',
        }),
      )
      const { file, args } = command('init', '--quiet', '--phrase-out', 'phrase')
      await execa(file, args, { cwd: home, env })
    },
    backup: command('run', '--json'),
    restore: (directory) => command('restore', 'latest', '--to', directory, ...phrase),
    restoredTo: `data${data}`,
    forget: () => remove(env.XDG_STATE_HOME),
    restoreSome: (paths, directory) =>
      command('restore', 'latest', ...paths.map((path) => `data${path}`), '--to', directory, ...phrase),
    tar: toNowhere(command('restore', 'latest', ...phrase)),
    verify: command('verify', '--deep', '--quiet', ...phrase),
    prune: command('prune', '--compact', '--force', '--quiet'),
    archives: {
      name,
      stored: join(sink('one'), 'archives'),
      send: command('send', '--quiet'),
      receive: toNowhere(command('receive', 'latest', '--quiet', ...phrase)),
    },
  }
}

/** restic into one repository. */
export function restic(data: string, work: string): Peer {
  const home = join(work, 'restic')
  const repository = join(home, 'repository')
  const env = { RESTIC_PASSWORD: 'bench', RESTIC_PROGRESS_FPS: '0' }
  const command = (...args: string[]): Command => ({
    file: 'restic',
    args: ['--quiet', '--cache-dir', join(home, 'cache'), '--repo', repository, ...args],
    env,
  })
  return {
    name: 'restic, 1 repository',
    stored: repository,
    async reset() {
      empty(home)
      const { file, args } = command('init')
      await execa(file, args, { env })
    },
    backup: command('backup', data),
    restore: (directory) => command('restore', 'latest', '--target', directory),
    restoredTo: data.slice(1),
    forget: () => remove(join(home, 'cache')),
    restoreSome: (paths, directory) =>
      command('restore', 'latest', '--target', directory, ...paths.flatMap((path) => ['--include', path])),
    tar: toNowhere(command('dump', 'latest', '/')),
    verify: command('check', '--read-data'),
    prune: command('forget', '--keep-last', '1', '--prune'),
  }
}

/** restic into one repository, and from there into two more. */
export function resticCopied(data: string, work: string): Peer {
  const home = join(work, 'restic-copied')
  const first = restic(data, home)
  const repository = (n: number) => join(home, `copy-${n}`)
  const cache = join(home, 'cache')
  const env = { ...first.backup.env, RESTIC_FROM_PASSWORD: 'bench' }
  const copies = [1, 2].map((n) => `restic -q --cache-dir ${cache} -r ${repository(n)}`)
  const from = `RESTIC_FROM_PASSWORD_COMMAND='echo bench'`
  const backup = [first.backup.file, ...first.backup.args].join(' ')
  const copy = copies.map((one) => `${from} ${one} copy --from-repo ${first.stored} latest`)
  return {
    ...first,
    name: 'restic, copied to 3',
    async reset() {
      empty(home)
      await first.reset()
      for (const one of copies) {
        const init = `${from} ${one} init --from-repo ${first.stored} --copy-chunker-params`
        await execa('sh', ['-c', init], { env })
      }
    },
    backup: { file: 'sh', args: ['-c', [backup, ...copy].join(' && ')], env },
  }
}

/** borg into one repository. */
export function borg(data: string, work: string): Peer {
  const home = join(work, 'borg')
  const repository = join(home, 'repository')
  const env = { BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: home }
  const shell = (script: string): Command => ({ file: 'sh', args: ['-c', script], env })
  const last = `${repository}::$(borg list --last 1 --short ${repository})`
  return {
    name: 'borg, 1 repository',
    stored: repository,
    async reset() {
      empty(home)
      await execa('borg', ['init', '--encryption=repokey-blake2', repository], { env })
    },
    backup: shell(`borg create --compression zstd,3 ${repository}::$(date +%s.%N) ${data}`),
    restore: (directory) => ({
      ...shell(`borg extract ${last}`),
      cwd: directory,
    }),
    restoredTo: data.slice(1),
    forget: () => remove(join(home, '.cache')),
    restoreSome: (paths, directory) => ({
      ...shell(`borg extract ${last} ${paths.map((path) => path.slice(1)).join(' ')}`),
      cwd: directory,
    }),
    tar: shell(`borg export-tar ${last} - > /dev/null`),
    verify: shell(`borg check --verify-data ${repository}`),
    prune: shell(`borg prune --keep-last 1 ${repository} && borg compact ${repository}`),
  }
}

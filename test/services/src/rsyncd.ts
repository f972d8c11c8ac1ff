import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { startServer } from './server-process.ts'

export interface RsyncDaemon extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Who may use the modules, with the password of the secrets file. */
  readonly user: string
  readonly password: string
  /** rsyncd.conf: for a daemon that ssh starts. */
  readonly config: string
  /** A module with an empty directory. @param settings - more lines of rsyncd.conf(5) for it */
  makeModule(...settings: string[]): { readonly name: string; readonly local: string }
}

/** Starts an rsync daemon of its own on a free port of 127.0.0.1: its configuration, secrets and modules are in a temporary directory. */
export async function startRsyncd(): Promise<RsyncDaemon> {
  const directory = mkdtempSync(join(tmpdir(), 'rsyncd-'))
  const at = (name: string) => join(directory, name)
  const [user, password] = ['tester', 'pass # word:']
  writeFileSync(at('secrets'), `${user}:${password}\n`, { mode: 0o600 })
  const port = await freePort()
  const lines = [
    'address = 127.0.0.1',
    `port = ${port}`,
    // Started by root it would be nobody; it is whoever runs the tests.
    ...(process.getuid?.() === 0 ? ['uid = root', 'gid = root'] : []),
    'use chroot = no',
    'read only = no',
    'list = no',
    `auth users = ${user}`,
    `secrets file = ${at('secrets')}`,
    `log file = ${at('log')}`,
    `lock file = ${at('lock')}`,
  ]
  const config = at('rsyncd.conf')
  // The daemon reads it at each connection: it must find the whole of it while a module is added.
  const write = () => {
    writeFileSync(at('next.conf'), `${lines.join('\n')}\n`)
    renameSync(at('next.conf'), config)
  }
  write()
  const server = await startServer('rsync', ['--daemon', '--no-detach', `--config=${config}`], port)
  let made = 0
  return {
    host: '127.0.0.1',
    port,
    user,
    password,
    config,
    makeModule: (...settings) => {
      const name = `module-${++made}`
      const local = at(name)
      mkdirSync(local)
      lines.push(`[${name}]`, `path = ${local}`, ...settings)
      // Read again for each connection.
      write()
      return { name, local }
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

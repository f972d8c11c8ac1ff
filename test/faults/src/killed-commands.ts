import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { difference, Sandbox } from '@pipe-backup-test/e2e'

const HOOK = resolve(import.meta.dirname, 'kill-at-write.ts')
const SINKS = ['one', 'two']
const DAYS_2_S = 2 * 86_400

/** A command that is killed at each of its writes. */
export interface KilledCommand {
  readonly args: readonly string[]
  /** From what it starts. Default: the vault with five snapshots. */
  readonly prepare?: (sandbox: Sandbox) => Promise<void> | void
  /** What a person does who sees that it was killed. Default nothing: the schedule goes on. */
  readonly again?: (sandbox: Sandbox) => Promise<void>
}

export const KILLED_COMMANDS: readonly KilledCommand[] = [
  {
    args: ['init', '--phrase-out', 'phrase'],
    prepare(sandbox) {
      for (const name of ['home', 'sinks', 'phrase'])
        rmSync(sandbox.path(name), { recursive: true, force: true })
    },
    async again(sandbox) {
      // Its own words lead on: there is a phrase, and the vault is joined with it.
      const { code, err } = await sandbox.run(['init', '--phrase-out', 'phrase'])
      if (code === 0) return
      if (!err.includes('--phrase-file')) throw new Error(`init again: ${err}`)
      await sandbox.ok(['init', '--phrase-file', 'phrase'])
    },
  },
  { args: ['run'], prepare: change },
  { args: ['run'] },
  { args: ['prune'], prepare: change },
  { args: ['prune', '--compact'], prepare: change },
  {
    args: ['heal'],
    prepare(sandbox) {
      const packs = sandbox.path('sinks/two/packs')
      for (const shard of readdirSync(packs).slice(0, 2)) rmSync(join(packs, shard), { recursive: true })
    },
  },
  { args: ['verify'] },
  { args: ['send', '--name', 'bot'] },
  {
    args: ['key', 'add-recipient', '--phrase-file', 'phrase', '--phrase-out', 'partner'],
    async again(sandbox) {
      await sandbox.ok(['key', 'add-recipient', '--phrase-file', 'phrase', '--phrase-out', 'another'])
    },
  },
  {
    args: ['init', '--phrase-file', 'phrase', '--role', 'write'],
    async again(sandbox) {
      await sandbox.ok(['init', '--phrase-file', 'phrase', '--role', 'maintain'])
    },
  },
  { args: ['restore', 'latest', '--phrase-file', 'phrase', '--to', 'back'] },
]

/** A vault with five snapshots on two sinks. */
export async function killingGround(): Promise<Sandbox> {
  const sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/steady'), randomBytes(30_000))
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: SINKS.map((name) => ({ type: 'local', name, path: `sinks/${name}` })),
    keep: { last: 4 },
    grace: '0s',
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  for (let i = 0; i < 5; i++) {
    change(sandbox)
    await sandbox.ok(['run'])
  }
  return sandbox
}

function change(sandbox: Sandbox): void {
  appendFileSync(sandbox.path('tree/changing'), randomBytes(2000).toString('hex'))
}

export interface Killing {
  /** With 0 it lives. */
  readonly at: number
  readonly side: 'before' | 'after'
}

/** Kills one command, and has the next ones run; one that lives is only counted. @returns how many writes it has made, and what is not as it must be */
export async function killOnce(
  ground: Sandbox,
  { args, prepare, again }: KilledCommand,
  { at, side }: Killing,
): Promise<{ writes: number; problems: string[] }> {
  using sandbox = new Sandbox()
  cpSync(ground.root, sandbox.root, { recursive: true, preserveTimestamps: true })
  await prepare?.(sandbox)
  const countFile = sandbox.path('writes')
  const killed = await sandbox.run([...args], {
    env: {
      NODE_OPTIONS: `--max-semi-space-size=8 --disable-warning=ExperimentalWarning --import ${HOOK}`,
      KILL_BELOW: sandbox.root,
      KILL_AT: String(at),
      KILL_SIDE: side,
      KILL_COUNT: countFile,
    },
  })
  const writes = existsSync(countFile) ? Number(readFileSync(countFile, 'utf8')) : 0
  const problems: string[] = []
  if (at === 0)
    return { writes, problems: killed.code === 0 ? [] : [`exits with ${killed.code}: ${killed.err}`] }
  try {
    await again?.(sandbox)
    age(sandbox)
    for (const command of [['run'], ['heal'], ['prune'], ['verify', '--deep', '--phrase-file', 'phrase']])
      await sandbox.ok(command)
    for (const sink of SINKS) {
      await sandbox.ok(['restore', 'latest', '--phrase-file', 'phrase', '--to', 'back', '--from', sink])
      const changed = await difference(
        sandbox.path('tree'),
        join(sandbox.path('back/tree'), sandbox.path('tree')),
      )
      if (changed !== '') problems.push(`restored from ${sink}: ${changed}`)
    }
  } catch (error) {
    problems.push(String(error))
  }
  problems.push(...left(sandbox))
  return { writes, problems }
}

/** As if the machine had been dead for two days. */
function age(sandbox: Sandbox): void {
  const then = Date.now() / 1000 - DAYS_2_S
  for (const sink of SINKS)
    for (const folder of ['sessions', '.tmp', 'archives']) {
      const directory = sandbox.path('sinks', sink, folder)
      if (existsSync(directory))
        for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then)
    }
}

/** What nobody needs any more: sessions, temporary objects, and of archives what has no proof. */
function left(sandbox: Sandbox): string[] {
  const found: string[] = []
  for (const sink of SINKS) {
    for (const folder of ['sessions', '.tmp']) {
      const directory = sandbox.path('sinks', sink, folder)
      if (existsSync(directory))
        found.push(...readdirSync(directory).map((name) => `${sink} has ${folder}/${name} still`))
    }
    const archives = sandbox.path('sinks', sink, 'archives')
    const names = existsSync(archives) ? readdirSync(archives) : []
    for (const name of names)
      if (!name.endsWith('.sha256') && !names.includes(`${name}.sha256`))
        found.push(`${sink} has archives/${name} still`)
  }
  if (!existsSync(sandbox.path('back'))) return found
  for (const entry of readdirSync(sandbox.path('back'), { recursive: true, encoding: 'utf8' }))
    if (entry.includes('.pipe-backup-')) found.push(`the restore has left ${entry}`)
  return found
}

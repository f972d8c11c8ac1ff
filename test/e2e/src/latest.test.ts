import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** A host with two sources of text files; `database` fails while its directory is away. */
async function prepared(more: object = {}): Promise<Sandbox> {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  for (const name of ['wallet', 'database']) {
    mkdirSync(sandbox.path(name))
    write(sandbox, name, 'first')
  }
  configure(sandbox, more)
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  return sandbox
}

function configure(sandbox: Sandbox, more: object = {}): void {
  sandbox.configure({
    sources: ['wallet', 'database'].map((name) => ({ type: 'files', name, paths: [name] })),
    sinks: sandbox.sinks('one'),
    keep: { last: 1 },
    ...more,
  })
}

function write(sandbox: Sandbox, source: string, text: string): void {
  writeFileSync(sandbox.path(source, 'file'), text)
}

const P = ['--phrase-file', 'phrase']
const cat = (sandbox: Sandbox, source: string, spec = 'latest', machine = 'home') =>
  sandbox.run(['cat', spec, `${source}${sandbox.path(source)}/file`, ...P], { machine })
const snapshotsOf = (sandbox: Sandbox) => readdirSync(sandbox.path('sinks/one/snapshots')).sort()

test('after a run of one source, `latest` still has the newest good copy of each, and names it', async () => {
  const sandbox = await prepared()
  await sandbox.ok(['run'])
  write(sandbox, 'wallet', 'second')
  await sandbox.ok(['run', '--source', 'wallet'])
  for (const machine of ['home', 'elsewhere']) {
    expect((await cat(sandbox, 'wallet', 'latest', machine)).out.toString()).toBe('second')
    const { code, out, err } = await cat(sandbox, 'database', 'latest', machine)
    expect({ code, out: out.toString() }).toEqual({ code: 0, out: 'first' })
    expect(err).toMatch(
      /warning: source "database" is taken from snapshot [0-9a-f]{16} of 20.*: the newest one/,
    )
  }
  const { code, err } = await sandbox.run(['restore', 'latest', ...P, '--to', 'out'], {
    machine: 'elsewhere',
  })
  expect(code).toBe(0)
  expect(err).toMatch(/^warning: source "database" is taken from snapshot/m)
  expect(readFileSync(sandbox.path('out/wallet', sandbox.path('wallet'), 'file'), 'utf8')).toBe('second')
  expect(readFileSync(sandbox.path('out/database', sandbox.path('database'), 'file'), 'utf8')).toBe('first')
})

test('where the newest reading of a source failed, the good one before it comes with exit code 3 and a line', async () => {
  const sandbox = await prepared()
  await sandbox.ok(['run'])
  renameSync(sandbox.path('database'), sandbox.path('away'))
  expect((await sandbox.run(['run'])).code).toBe(3)
  const { code, out, err } = await cat(sandbox, 'database')
  expect({ code, out: out.toString() }).toEqual({ code: 3, out: 'first' })
  expect(err).toMatch(/warning: snapshot [0-9a-f]{16}: source "database" failed: .*; taken from snapshot/)
  expect((await sandbox.run(['restore', 'latest', ...P, '--to', 'out'])).code).toBe(3)
  expect((await sandbox.run(['restore', 'latest', 'wallet', ...P, '--to', 'wallet-only'])).code).toBe(0)
  // The tar, and the drill, likewise.
  expect((await sandbox.run(['restore', 'latest', ...P])).code).toBe(3)
  expect((await sandbox.run(['verify', '--drill', ...P])).code).toBe(3)
})

test('a newer snapshot that can not be read is named, and the older one ends with 3', async () => {
  const sandbox = await prepared()
  await sandbox.ok(['run'])
  write(sandbox, 'wallet', 'second')
  // The key has the second in which it was made.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await sandbox.ok(['run'])
  const newest = snapshotsOf(sandbox).at(-1) ?? ''
  const file = sandbox.path('sinks/one/snapshots', newest)
  writeFileSync(file, readFileSync(file).fill(0, 30, 70))
  const { code, out, err } = await cat(sandbox, 'wallet')
  expect({ code, out: out.toString() }).toEqual({ code: 3, out: 'first' })
  expect(err).toContain(`snapshots/${newest} is newer than what is read here, and can't be read`)
  expect((await sandbox.run(['restore', 'latest', ...P, '--to', 'out'])).code).toBe(3)
  expect((await sandbox.run(['ls', 'latest', ...P])).code).toBe(3)
  // Exactly the one that was asked for.
  const id = snapshotsOf(sandbox)[0]?.slice(-16) ?? ''
  expect((await cat(sandbox, 'wallet', id)).code).toBe(0)
})

test('two machines of one name, and a new name each day: each keeps its own, and sees its own', async () => {
  const sandbox = await prepared({ host: 'debian' })
  await sandbox.ok(['run'])
  await sandbox.ok(['init', ...P], { machine: 'other' })
  write(sandbox, 'wallet', 'of the other')
  for (const _ of [1, 2]) await sandbox.ok(['run'], { machine: 'other' })
  await sandbox.ok(['prune'], { machine: 'other' })
  // One each: what the other has pruned is its own.
  expect(snapshotsOf(sandbox)).toHaveLength(2)
  expect((await cat(sandbox, 'wallet')).out.toString()).toBe('first')
  expect((await cat(sandbox, 'wallet', 'latest', 'other')).out.toString()).toBe('of the other')
  for (const host of ['5a1b', '77c2']) {
    configure(sandbox, { host })
    await sandbox.ok(['run'])
    const status = JSON.parse((await sandbox.run(['status', '--json'])).out.toString())
    expect(status.sources.map(({ state }: { state: string }) => state)).toEqual(['ok', 'ok'])
    expect(status.lastGood).not.toBeNull()
  }
  await sandbox.ok(['prune', '--force'])
  expect(snapshotsOf(sandbox)).toHaveLength(2)
})

test('a prune that would take most of what is there asks first; a scheduled one notifies; what is routine goes on', async () => {
  const sandbox = await prepared({ keep: { last: 20 } })
  const reported = sandbox.path('told')
  const notify = [{ type: 'command', run: ['sh', '-c', `cat >> ${reported}`] }]
  for (let i = 0; i < 7; i++) await sandbox.ok(['run'])
  configure(sandbox, { keep: { last: 2 }, notify })
  const dry = await sandbox.run(['prune', '--dry-run'])
  expect(dry).toMatchObject({
    code: 0,
    err: expect.stringContaining('without --force nothing would be removed'),
  })
  const refused = await sandbox.run(['prune'])
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nothing was removed: it would remove 5 of 7 snapshots.*--force/s),
  })
  expect(snapshotsOf(sandbox)).toHaveLength(7)
  expect(readFileSync(reported, 'utf8')).toContain('it would remove 5 of 7 snapshots')
  await sandbox.ok(['prune', '--force'])
  expect(snapshotsOf(sandbox)).toHaveLength(2)
  for (let i = 0; i < 5; i++) await sandbox.ok(['run'])
  await sandbox.ok(['prune'])
  expect(snapshotsOf(sandbox)).toHaveLength(2)
})

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readStateFile, writeStateFile } from '@pipe-backup/vault'
import { MAIN } from '@pipe-backup-test/e2e'
import { expect, test } from 'vitest'
import { type DiskState, powerCuts, writeState } from './disk-states.ts'
import { type Recording, record } from './power-cuts.ts'
import { RESTORED, restoreInto } from './restore-in-parts.ts'

const CHILD = resolve(import.meta.dirname, 'durable-writes-child.ts')

async function recorded(
  name: string,
  prepare: (work: string) => Promise<void> | void = () => undefined,
): Promise<Recording> {
  const command = (root: string) => [
    process.execPath,
    '--conditions=pipe-backup-src',
    CHILD,
    join(root, 'disk'),
    name,
  ]
  return await record(async (root) => {
    mkdirSync(join(root, 'disk/done'), { recursive: true })
    await prepare(join(root, 'disk/work'))
  }, command)
}

/** What the program was told is done, at the time of each cut: it writes a file of that name then. */
function* cutsOf({
  disk,
  before,
  calls,
}: Recording): Generator<{ done: string[]; state: DiskState; how: string }> {
  const prefix = join(disk, 'done/')
  for (const cut of powerCuts(disk, before, calls)) {
    const done = calls
      .slice(0, cut.calls)
      .flatMap((call) =>
        call.type === 'open' && call.path.startsWith(prefix) ? call.path.slice(prefix.length) : [],
      )
    yield { done, state: cut.state, how: `after call ${cut.calls}, ${cut.how}` }
  }
}

/** Looks at what a disk holds below `work`. */
async function looked<T>(state: DiskState, look: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'pipe-backup-disk-'))
  try {
    writeState(state, 'work', directory)
    return await look(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('a power cut leaves a file of the local state as it was before or as it is now', async () => {
  using recording = await recorded('state file', (work) => writeStateFile(join(work, 'file.json'), 'old'))
  const found = new Set<unknown>()
  for (const { state, how } of cutsOf(recording)) {
    const content = await looked(state, (directory) => readStateFile(join(directory, 'file.json')))
    expect(['old', 'new'], how).toContain(content)
    found.add(content)
  }
  expect(found).toEqual(new Set(['old', 'new']))
})

test('an object that is stored survives a power cut, also in directories that a killed process has made', async () => {
  using recording = await recorded('object', (work) => {
    mkdirSync(work)
  })
  let stored = 0
  for (const { done, state, how } of cutsOf(recording)) {
    for (const key of done.map((name) => name.replaceAll('_', '/'))) {
      expect(state.get(`work/${key}`)?.bytes.toString(), `${key} ${how}`).toBe(`bytes of ${key}`)
      stored++
    }
  }
  expect(stored).toBeGreaterThan(0)
})

test('init: whatever a power cut undoes, there is no key without its phrase, and no vault without both', async () => {
  using recording = await record(
    (root) => {
      mkdirSync(join(root, 'disk'))
      const sinks = ['one', 'two'].map((name) => ({ type: 'local', name, path: `deep/sinks/${name}` }))
      const config = { vault: 'cut', sources: [{ type: 'files', name: 'tree', paths: ['.'] }], sinks }
      writeFileSync(join(root, 'disk/pipe-backup.json'), JSON.stringify(config), { mode: 0o600 })
    },
    (root) => [
      'env',
      ...['CONFIG', 'STATE'].map((name) => `XDG_${name}_HOME=${join(root, 'disk/home', name)}`),
      process.execPath,
      MAIN,
      '--config',
      join(root, 'disk/pipe-backup.json'),
      'init',
      '--phrase-out',
      join(root, 'disk/keys/phrase'),
    ],
  )
  const live = (path: string) => readFileSync(join(recording.disk, path))
  const key = readdirSync(recording.disk, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.key'),
  )
  // In the order in which they are needed.
  const files = ['keys/phrase', key ?? '', 'deep/sinks/one/vault.json', 'deep/sinks/two/vault.json']
  for (const { calls, state, how } of powerCuts(recording.disk, recording.before, recording.calls)) {
    const isThere = files.map((path) => state.get(path)?.bytes.equals(live(path)))
    // Of one that is there, and cut short, nothing may follow either.
    const [phrase, hostKey, one, two] = isThere
    expect(isThere, how).not.toContain(false)
    expect(hostKey === undefined || phrase, `the key has its phrase after call ${calls}, ${how}`).toBe(true)
    expect((one ?? two) === undefined || hostKey, `the vault has its key after call ${calls}, ${how}`).toBe(
      true,
    )
    if (calls === recording.calls.length) expect(isThere, how).toEqual([true, true, true, true])
  }
})

test('a file that is restored again after a power cut is as it was backed up', async () => {
  using recording = await recorded('restore')
  for (const { state, how } of cutsOf(recording)) {
    const flaws = await looked(state, async (directory) => {
      // The machine has started again since.
      const mark = join(directory, '.pipe-backup-unfinished')
      if (existsSync(mark)) writeFileSync(mark, readFileSync(mark, 'utf8').replace(/^\S+/, 'another'))
      await restoreInto(directory)
      const isWrong = (name: string) => !RESTORED[name]?.equals(readFileSync(join(directory, name)))
      const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' })
      return entries.filter((name) => name !== 'new' && isWrong(name))
    })
    expect(flaws, how).toEqual([])
  }
})

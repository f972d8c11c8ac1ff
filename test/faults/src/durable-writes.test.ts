import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  expect([...found].sort()).toEqual(['new', 'old'])
})

test('an object that is stored survives a power cut, also in directories that a killed process has made', async () => {
  using recording = await recorded('object', (work) => void mkdirSync(work))
  let stored = 0
  for (const { done, state, how } of cutsOf(recording)) {
    for (const key of done.map((name) => name.replaceAll('_', '/'))) {
      expect(state.get(`work/${key}`)?.bytes.toString(), `${key} ${how}`).toBe(`bytes of ${key}`)
      stored++
    }
  }
  expect(stored).toBeGreaterThan(0)
})

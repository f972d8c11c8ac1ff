import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry, FileEntry, SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ExtractOptions, extractWithin } from './extract.ts'
import { directory, file, hardlink, MTIME_NS } from './test-support/entries.ts'
import type { WriteLimits } from './write-behind.ts'

const LIMITS: WriteLimits = {
  threads: 2,
  hereFiles: 3,
  hereBytes: 1000,
  fileBytes: 4096,
  batchBytes: 16 * 1024,
  batchFiles: 7,
}
/** No file system takes it. */
const LONG_NAME = 'n'.repeat(300)

let target: string
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'write-behind-'))
})
afterEach(() => rmSync(target, { recursive: true, force: true }))

async function extracted(entries: Iterable<Entry>, options: ExtractOptions = {}) {
  const lines: string[] = []
  const onProblem = ({ path, message }: SourceProblem) => lines.push(`${path}: ${message}`)
  return { ...(await extractWithin(LIMITS, entries, target, { ...options, onProblem })), lines }
}

const text = (path: string) => readFileSync(join(target, path), 'utf8')
const sizeOf = (i: number) => (i * 37) % 5000
const some = (count: number, at = 'd') =>
  Array.from({ length: count }, (_, i) => file(`${at}/f${i}`, Buffer.alloc(sizeOf(i), `${i} `)))

test('files of all sizes come back, written here, by threads, and one by one, and are counted', async () => {
  const entries = [directory('d', 0o500), ...some(500), directory('e'), file('e/last', 'last')]
  const bytes = some(500).reduce((sum, { size = 0 }) => sum + size, 4)
  expect(await extracted(entries)).toEqual({
    entries: 503,
    bytes,
    unchanged: 0,
    kept: 0,
    problems: 0,
    lines: [],
  })
  for (let i = 0; i < 500; i++) expect(text(`d/f${i}`)).toBe(Buffer.alloc(sizeOf(i), `${i} `).toString())
  for (const path of ['d', 'd/f499', 'e'])
    expect(lstatSync(join(target, path)).mtimeMs).toBe(Number(MTIME_NS / 1_000_000n))
  expect(lstatSync(join(target, 'd')).mode & 0o7777).toBe(0o500)
  expect(await extracted(entries, { overwrite: 'changed' })).toMatchObject({ unchanged: 501, bytes: 0 })
  expect(await extracted(entries)).toMatchObject({ unchanged: 0, bytes, lines: [] })
  expect(readdirSync(target).toSorted()).toEqual(['d', 'e'])
})

test('of a path that comes twice the later one stays, in a new directory and in one that was there', async () => {
  const entries = [
    directory('d'),
    ...some(50),
    ...Array.from({ length: 20 }, (_, i) => file('d/same', `text ${i}`)),
    ...some(50, 'e'),
    file('d/same', 'the last one'),
  ]
  for (let i = 0; i < 2; i++) {
    expect((await extracted(entries)).lines).toEqual([])
    expect(text('d/same')).toBe('the last one')
  }
})

test('what is below a file that is on its way is not written', async () => {
  const entries = [directory('d'), ...some(50), file('d/a', 'a file'), file('d/a/b'), directory('d/a/c')]
  expect((await extracted(entries)).lines).toEqual([
    expect.stringMatching(/^d\/a\/b: d\/a\/b was not written: .* is no directory$/),
    expect.stringMatching(/^d\/a\/c: d\/a\/c was not written: .* is no directory$/),
  ])
  expect(text('d/a')).toBe('a file')
})

test('a hard link waits for its file, and one to a file that was not written is none', async () => {
  const entries = [
    directory('d'),
    ...some(50),
    hardlink('d/h', 'd/f49'),
    file(`d/${LONG_NAME}`),
    hardlink('d/i', `d/${LONG_NAME}`),
    ...some(5, 'e'),
  ]
  const { lines, entries: count } = await extracted(entries)
  expect(lines).toEqual([
    `d/${LONG_NAME}: was not written: name too long (ENAMETOOLONG)`,
    expect.stringMatching(/^d\/i: /),
  ])
  expect(lstatSync(join(target, 'd/h')).ino).toBe(lstatSync(join(target, 'd/f49')).ino)
  expect(count).toBe(57)
})

test('a file that can not be written is reported in its turn, and is the only one', async () => {
  const bad = (i: number) => file(`d/${i}-${LONG_NAME}`)
  const entries = [directory('d'), ...some(20), ...[1, 2, 3].flatMap((i) => [bad(i), ...some(9, `d/e${i}`)])]
  const { lines, problems, entries: count } = await extracted(entries)
  expect(lines.map((line) => line.slice(0, 3))).toEqual(['d/1', 'd/2', 'd/3'])
  expect([problems, count]).toEqual([3, 1 + 20 + 27])
})

test('without anybody to report to, the first that can not be written ends it', async () => {
  const entries = [directory('d', 0o500), ...some(20), file(`d/${LONG_NAME}`), ...some(500, 'e')]
  await expect(extractWithin(LIMITS, entries, target)).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
  expect(lstatSync(join(target, 'd')).mode & 0o7777).toBe(0o500)
})

test.for([10, 100, 400])('an abort after %i files leaves nothing half-written', async (count) => {
  const abort = new AbortController()
  const entries = function* (): Generator<Entry> {
    yield directory('d', 0o500)
    for (const [i, entry] of some(500).entries()) {
      if (i === count) abort.abort()
      yield entry
    }
  }
  const extraction = extractWithin(LIMITS, entries(), target, { signal: abort.signal })
  await expect(extraction).rejects.toMatchObject({ name: 'AbortError' })
  const names = readdirSync(join(target, 'd'))
  expect(names.length).toBeLessThanOrEqual(count)
  for (const name of names) {
    expect(name).toMatch(/^f\d+$/)
    expect(lstatSync(join(target, 'd', name))).toMatchObject({
      size: sizeOf(Number(name.slice(1))),
      mtimeMs: Number(MTIME_NS / 1_000_000n),
    })
  }
  expect(lstatSync(join(target, 'd')).mode & 0o7777).toBe(0o500)
})

test('a file is written as it turns out to be once it is opened', async () => {
  const larger: FileEntry = { ...file('d/larger', Buffer.alloc(100_000, 'x')), size: 10 }
  const smaller: FileEntry = { ...file('d/smaller', 'few'), size: 4000 }
  const listed = file('d/tagged')
  const tagged: FileEntry = {
    ...listed,
    open() {
      Object.assign(this, {
        attributes: [{ name: Buffer.from('other.a'), value: Buffer.from('x') }],
        mode: 0o600,
      })
      return listed.open()
    },
  }
  const { lines, entries } = await extracted([directory('d'), ...some(20), larger, smaller, tagged])
  expect([lines, entries]).toEqual([[], 24])
  expect([text('d/larger').length, text('d/smaller'), text('d/tagged')]).toEqual([100_000, 'few', 'content'])
  expect(lstatSync(join(target, 'd/tagged')).mode & 0o777).toBe(0o600)
})

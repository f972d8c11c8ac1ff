import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { Extents } from '../format/extents.ts'
import type { ManifestEntry } from '../format/manifest-node.ts'
import { packKey } from '../format/pack-format.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { ChunkLocations } from './chunk-locations.ts'
import { ChunkReader } from './chunk-reader.ts'
import { Leaf } from './leaves.ts'
import type { ReadAhead } from './read-ahead.ts'
import { type StoredFile, StoredFileReader } from './stored-file-reader.ts'

const MIB = 1024 * 1024
const keys = await deriveKeys(new Uint8Array(32).fill(5))
const METADATA = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }

interface Stored {
  readonly locations: ChunkLocations
  readonly packs: readonly string[]
  readonly plains: readonly Buffer[]
  readonly files: readonly StoredFile[]
}

/** Files of a chunk each, that go to the packs in turn. */
async function store(
  sinks: readonly MemorySink[],
  files: number,
  packs: number,
  chunkBytes = MIB,
): Promise<Stored> {
  const packBytes = Math.ceil(files / packs) * (chunkBytes + 256) + 4096
  const open = await Promise.all(
    Array.from({ length: packs }, () => MemoryChunks.create(keys, [], packBytes)),
  )
  const plains: Buffer[] = []
  const stored: StoredFile[] = []
  for (let i = 0; i < files; i++) {
    const plain = randomBytes(chunkBytes)
    const extents = new Extents()
    const id = open[i % packs]?.add(plain)
    if (id) extents.add(id, 0, plain.length)
    plains.push(plain)
    const path = Buffer.from(`f${String(i).padStart(4, '0')}`)
    stored.push({ type: 'file', path, ...METADATA, size: plain.length, content: { extents } })
  }
  const finished = open.map((chunks) => chunks.finish(sinks))
  const locations = new ChunkLocations()
  for (const { name, footer } of finished) locations.add(name, footer)
  return { locations, packs: finished.map(({ name }) => packKey(name)), plains, files: stored }
}

async function* leavesOf(
  files: readonly StoredFile[],
  perLeaf = 16,
): AsyncGenerator<readonly ManifestEntry[]> {
  for (let i = 0; i < files.length; i += perLeaf) yield files.slice(i, i + perLeaf)
}

interface Reading {
  readonly chunks: ChunkReader
  readonly ahead: ReadAhead
}

async function reading(
  sinks: readonly MemorySink[],
  { locations }: Stored,
  onProblem: (error: Error) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Reading> {
  const chunks = await ChunkReader.open({ sinks, keys, locations, onProblem, signal })
  return { chunks, ahead: chunks.readAhead() }
}

/** Reads the files that are wanted, in order. @returns the numbers of those that came out as they went in */
async function readFiles(
  { chunks, ahead }: Reading,
  { files, plains }: Stored,
  isWanted: (file: number) => boolean = () => true,
): Promise<number[]> {
  const good: number[] = []
  let number = 0
  let leaf: Leaf | undefined = Leaf.before(leavesOf(files))
  for (; leaf; leaf = await leaf.next()) {
    ahead.enter(leaf)
    for (const [index, entry] of leaf.entries.entries()) {
      const file = number++
      if (entry.type !== 'file' || !isWanted(file)) continue
      ahead.reach({ leaf, index })
      const bytes = await readAll(new StoredFileReader(chunks, ahead, entry))
      if (plains[file]?.equals(bytes)) good.push(file)
    }
  }
  return good
}

async function readAll(reader: StoredFileReader): Promise<Buffer> {
  const pieces: Buffer[] = []
  const memory = Buffer.alloc(300_000)
  for (;;) {
    const got = await reader.read(memory)
    if (got === 0) return Buffer.concat(pieces)
    pieces.push(Buffer.from(memory.subarray(0, got)))
  }
}

const all = (files: number) => Array.from({ length: files }, (_, i) => i)

/** How often each object was asked for whole, and for a part of it. */
function countGets(sink: MemorySink): {
  readonly whole: Map<string, number>
  readonly part: Map<string, number>
} {
  const gets = { whole: new Map<string, number>(), part: new Map<string, number>() }
  const get = sink.get.bind(sink)
  sink.get = (key, options) => {
    const counts = options?.length === undefined ? gets.whole : gets.part
    counts.set(key, (counts.get(key) ?? 0) + 1)
    return get(key, options)
  }
  return gets
}

const threads = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length

test('what is read in order is fetched pack by pack, each once, and opened on threads that end with the reading', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 70, 5, MIB / 2)
  const gets = countGets(sink)
  const before = threads()
  const open = await reading([sink], stored)
  expect(await readFiles(open, stored)).toEqual(all(70))
  expect(threads()).toBeGreaterThan(before)
  await open.ahead[Symbol.asyncDispose]()
  expect(threads()).toBe(before)
  expect(gets.whole).toEqual(new Map(stored.packs.map((key) => [key, 1])))
  // Of each, a chunk or two and the header were read before more of it was known to follow.
  for (const count of gets.part.values()) expect(count).toBeLessThan(5)
})

test('packs that are too large to be held side by side are fetched twice, and then chunk by chunk', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 70, 5)
  const gets = countGets(sink)
  const open = await reading([sink], stored)
  expect(await readFiles(open, stored)).toEqual(all(70))
  await open.ahead[Symbol.asyncDispose]()
  for (const count of gets.whole.values()) expect(count).toBeLessThanOrEqual(2)
})

test('little is read without a thread, and nothing before a file is opened', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 10, 2)
  const gets = countGets(sink)
  const before = threads()
  const open = await reading([sink], stored)
  expect(await readFiles(open, stored, () => false)).toEqual([])
  expect([gets.whole.size, gets.part.size]).toEqual([0, 0])
  expect(await readFiles(open, stored)).toEqual(all(10))
  expect(threads()).toBe(before)
  await open.ahead[Symbol.asyncDispose]()
})

test('a file here and there fetches little beside itself', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 120, 40)
  const gets = countGets(sink)
  const open = await reading([sink], stored)
  expect(await readFiles(open, stored, (file) => file % 60 === 10)).toEqual([10, 70])
  await open.ahead[Symbol.asyncDispose]()
  expect(gets.whole.size + gets.part.size).toBeLessThan(20)
})

test('the same chunks again and again are read each time', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 40, 3)
  const twice = {
    ...stored,
    files: [...stored.files, ...stored.files.toReversed()],
    plains: [...stored.plains, ...stored.plains.toReversed()],
  }
  const open = await reading([sink], twice)
  expect(await readFiles(open, twice)).toEqual(all(80))
  await open.ahead[Symbol.asyncDispose]()
})

test('files that are read side by side get their own bytes', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 64, 3)
  const { chunks, ahead } = await reading([sink], stored)
  let leaf: Leaf | undefined = Leaf.before(leavesOf(stored.files))
  const read: Buffer[] = []
  for (; leaf; leaf = await leaf.next()) {
    ahead.enter(leaf)
    const readers = leaf.entries.flatMap((entry, index) => {
      if (!leaf || entry.type !== 'file') return []
      ahead.reach({ leaf, index })
      return [new StoredFileReader(chunks, ahead, entry)]
    })
    read.push(...(await Promise.all(readers.map(readAll))))
  }
  await ahead[Symbol.asyncDispose]()
  expect(read.map((bytes, i) => stored.plains[i]?.equals(bytes))).toEqual(all(64).map(() => true))
})

test('what is damaged on one sink comes from the next, and each pack is reported once', async () => {
  const [bad, good] = [new MemorySink('bad'), new MemorySink('good')]
  const stored = await store([bad, good], 90, 3)
  for (const key of stored.packs.slice(0, 2)) {
    const bytes = bad.objects.get(key) ?? Buffer.alloc(0)
    for (const part of [0.3, 0.5, 0.8]) {
      const at = Math.floor(bytes.length * part)
      bytes[at] = (bytes[at] ?? 0) ^ 1
    }
    bad.objects.set(key, bytes)
  }
  bad.objects.delete(stored.packs[2] ?? '')
  const problems: Error[] = []
  const open = await reading([bad, good], stored, (error) => problems.push(error))
  expect(await readFiles(open, stored)).toEqual(all(90))
  await open.ahead[Symbol.asyncDispose]()
  const reported = problems.map((error) =>
    'key' in error ? `${error.message.includes('bad')} ${String(error.key)}` : '',
  )
  expect(reported.toSorted()).toEqual(stored.packs.map((key) => `true ${key}`).toSorted())
})

test('a sink that does not answer is not asked again for a pack, and the next gives it', async () => {
  const [away, good] = [new MemorySink('away'), new MemorySink('good')]
  const stored = await store([away, good], 60, 4)
  const refused = new Set<string>()
  const askedAgain: string[] = []
  away.before = async (_operation, key) => {
    if (refused.has(key)) askedAgain.push(key)
    // A chunk and the header of its pack are asked for at once.
    await setImmediate()
    refused.add(key)
    throw away.error('unreachable')
  }
  const open = await reading([away, good], stored)
  expect(await readFiles(open, stored)).toEqual(all(60))
  await open.ahead[Symbol.asyncDispose]()
  expect(refused.size).toBe(4)
  expect(askedAgain).toEqual([])
})

test('what is intact on no sink fails for its file alone', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 60, 3)
  const key = stored.packs[1] ?? ''
  sink.objects.delete(key)
  const { chunks, ahead } = await reading([sink], stored)
  const failed: number[] = []
  let leaf: Leaf | undefined = Leaf.before(leavesOf(stored.files))
  for (; leaf; leaf = await leaf.next()) {
    ahead.enter(leaf)
    for (const [index, entry] of leaf.entries.entries()) {
      if (entry.type !== 'file') continue
      ahead.reach({ leaf, index })
      await readAll(new StoredFileReader(chunks, ahead, entry)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'missing', key })
        failed.push(stored.files.indexOf(entry))
      })
    }
  }
  await ahead[Symbol.asyncDispose]()
  expect(failed).toEqual(all(60).filter((i) => i % 3 === 1))
})

test('an abort in the middle ends the reading with its reason, and the threads', async () => {
  const sink = new MemorySink('one')
  const stored = await store([sink], 120, 5)
  const before = threads()
  const stop = new AbortController()
  const problems: Error[] = []
  const open = await reading([sink], stored, (error) => problems.push(error), stop.signal)
  const aborted = readFiles(open, stored, (file) => {
    if (file === 60) stop.abort(new Error('enough'))
    stop.signal.throwIfAborted()
    return true
  })
  await expect(aborted).rejects.toThrow('enough')
  await open.ahead[Symbol.asyncDispose]()
  expect([threads(), problems]).toEqual([before, []])
})

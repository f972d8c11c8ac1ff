import { createHash } from 'node:crypto'
import { deriveKeys } from '@pipe-backup/crypto'
import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManifestBuilder } from '../backup/manifest-builder.ts'
import { ChunkKind } from '../format/chunk-codec.ts'
import { encodeBranch, encodeExtentBranch, LeafWriter } from '../format/encode-manifest-node.ts'
import { Extents } from '../format/extents.ts'
import { type ManifestEntry } from '../format/manifest-node.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { codeOf } from '../test-support/outcome.ts'
import type { ChunkReader } from './chunk-reader.ts'
import { mergeManifests } from './merge-manifests.ts'
import { isBelow, walkExtents, walkManifest } from './walk-manifest.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))
const METADATA = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }

const directory = (path: string): ManifestEntry => ({
  type: 'directory',
  path: Buffer.from(path),
  ...METADATA,
})

function hashOf(path: Uint8Array): number {
  return createHash('sha256').update(path).digest().readUInt32LE(0)
}

interface Built {
  readonly reader: ChunkReader
  readonly root: Uint8Array
  readonly nodes: number
}

async function build(entries: readonly ManifestEntry[]): Promise<Built> {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, [], 8 * 1024 * 1024)
  let nodes = 0
  const builder = new ManifestBuilder((node, kind) => {
    nodes++
    return chunks.add(Buffer.from(node), kind)
  })
  for (const entry of entries) builder.add(entry, hashOf(entry.path))
  const root = builder.finish()
  return { reader: await chunks.read(chunks.finish([sink]), [sink]), root, nodes }
}

async function pathsOf({ reader, root }: Built, below?: readonly string[]): Promise<string[]> {
  const paths: string[] = []
  for await (const entry of walkManifest(
    reader,
    root,
    below?.map((path) => Buffer.from(path)),
  ))
    paths.push(Buffer.from(entry.path).toString())
  return paths
}

function sorted(paths: Iterable<string>): string[] {
  return [...new Set(paths)].sort((a, b) => comparePaths(Buffer.from(a), Buffer.from(b)))
}

// Names that sort between "a" and "a/": the order of paths is not that of their bytes.
const name = fc.constantFrom('a', 'b', 'a-', 'a.b', 'a b', '!', 'ab', 'é', 'z'.repeat(40))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

test('what goes in comes out in order, and any selection is what a filter of it would be', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { maxLength: 400 }),
      fc.array(path, { minLength: 1, maxLength: 3 }),
      async (some, below) => {
        const paths = sorted(some)
        const built = await build(paths.map(directory))
        expect(await pathsOf(built)).toEqual(paths)
        expect(await pathsOf(built, below)).toEqual(
          paths.filter((one) => below.some((top) => one === top || one.startsWith(`${top}/`))),
        )
      },
    ),
    { numRuns: 60 },
  )
})

const many = sorted(Array.from({ length: 20_000 }, (_, i) => `d${i % 173}/f${i}`))
const large = await build(many.map(directory))

test('a large manifest has levels, and a path in it is found by few of its nodes', async () => {
  expect(large.nodes).toBeGreaterThan(100)
  expect(await pathsOf(large)).toEqual(many)
  let read = 0
  const counting = { read: (id: Uint8Array) => (read++, large.reader.read(id)) } as ChunkReader
  expect(await pathsOf({ ...large, reader: counting }, ['d17/f17'])).toEqual(['d17/f17'])
  expect(read).toBeLessThan(6)
  read = 0
  const inDirectory = await pathsOf({ ...large, reader: counting }, ['d17'])
  expect(inDirectory).toEqual(many.filter((one) => one.startsWith('d17/')))
  expect(read).toBeLessThan(15)
  expect(await pathsOf(large, ['d17/f17/x', 'e', ''])).toEqual([])
})

test('a change of one entry changes few nodes', async () => {
  const sink = new MemorySink('one')
  const idsOf = async (paths: readonly string[]) => {
    const chunks = await MemoryChunks.create(keys, [], 8 * 1024 * 1024)
    const ids = new Set<string>()
    const builder = new ManifestBuilder((node, kind) => {
      const id = chunks.add(Buffer.from(node), kind)
      ids.add(Buffer.from(id).toString('hex'))
      return id
    })
    for (const one of paths) builder.add(directory(one), hashOf(Buffer.from(one)))
    builder.finish()
    chunks.finish([sink])
    return ids
  }
  const before = await idsOf(many)
  const after = await idsOf(sorted([...many, 'd17/new']))
  expect([...after].filter((id) => !before.has(id)).length).toBeLessThan(6)
})

test.for([0, 1, 255, 256, 257, 600, 12_000])(
  'a file of %i extents is read as it was written',
  async (count) => {
    const extents = new Extents()
    for (let i = 0; i < count; i++) extents.add(createHash('sha256').update(String(i)).digest(), i, i + 1)
    const size = (count * (count + 1)) / 2
    const file = { type: 'file', path: Buffer.from('f'), ...METADATA, size, content: { extents } } as const
    const { reader, root } = await build([file])
    const found: [string, number, number][] = []
    for await (const entry of walkManifest(reader, root, undefined)) {
      expect(entry).toMatchObject({ type: 'file', size })
      if (entry.type !== 'file') continue
      expect('treeRoot' in entry.content).toBe(count > 256)
      for await (const batch of walkExtents(reader, entry.content))
        for (let i = 0; i < batch.count; i++)
          found.push([batch.id(i).toString('hex'), batch.offset(i), batch.length(i)])
    }
    expect(found).toEqual(
      Array.from({ length: count }, (_, i) => [
        extents.id(i).toString('hex'),
        extents.offset(i),
        extents.length(i),
      ]),
    )
  },
)

test('entries out of order, or twice, are refused when they are written', () => {
  for (const [first, second] of [
    ['b', 'a'],
    ['a', 'a'],
    ['a-', 'a/b'],
  ] as const) {
    const builder = new ManifestBuilder(() => new Uint8Array(32))
    builder.add(directory(first), 1)
    expect(() => builder.add(directory(second), 1)).toThrow('out of order')
  }
})

test('a tree deeper than any that is written is corrupt, not a stack that overflows', async () => {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, [], 8 * 1024 * 1024)
  let id: Uint8Array = chunks.add(Buffer.of(1, 0, 0), ChunkKind.manifestNode)
  let extentId: Uint8Array = chunks.add(Buffer.of(3, 0, 0), ChunkKind.extentNode)
  for (let level = 0; level < 200; level++) {
    id = chunks.add(Buffer.from(encodeBranch([{ firstPath: Buffer.from('a'), id }])), ChunkKind.manifestNode)
    extentId = chunks.add(Buffer.from(encodeExtentBranch([{ bytes: 0, id: extentId }])), ChunkKind.extentNode)
  }
  const reader = await chunks.read(chunks.finish([sink]), [sink])
  const walking = walkManifest(reader, id, undefined).next()
  await expect(walking.then(() => 'returned', codeOf)).resolves.toBe('corrupt')
  const extents = walkExtents(reader, { treeRoot: extentId }).next()
  await expect(extents.then(() => 'returned', codeOf)).resolves.toBe('corrupt')
})

test('a few nodes that stand for 10^90 entries are corrupt, however they are walked', async () => {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, [], 8 * 1024 * 1024)
  const builder = new LeafWriter()
  builder.add(directory('a'))
  let id: Uint8Array = chunks.add(builder.take(), ChunkKind.manifestNode)
  const names = Array.from({ length: 1000 }, (_, i) => (i === 0 ? 'a' : `a${String(i).padStart(4, '0')}`))
  for (let level = 0; level < 30; level++) {
    const child = id
    const children = names.map((name) => ({ firstPath: Buffer.from(name), id: child }))
    id = chunks.add(Buffer.from(encodeBranch(children)), ChunkKind.manifestNode)
  }
  const reader = await chunks.read(chunks.finish([sink]), [sink])
  const walk = async () => {
    for await (const _ of walkManifest(reader, id, undefined));
  }
  const merge = async () => {
    for await (const _ of mergeManifests(reader, [id, id]));
  }
  await expect(walk().then(() => 'returned', codeOf)).resolves.toBe('corrupt')
  await expect(merge().then(() => 'returned', codeOf)).resolves.toBe('corrupt')
})

test('below is the path itself and what its slash begins', () => {
  const below = (one: string, top: string) => isBelow(Buffer.from(one), Buffer.from(top))
  expect([below('a', 'a'), below('a/b', 'a'), below('a-', 'a'), below('ab', 'a'), below('a', 'a/b')]).toEqual(
    [true, true, false, false, false],
  )
})

import { createHash } from 'node:crypto'
import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManifestBuilder } from '../backup/manifest-builder.ts'
import { Extents } from '../format/extents.ts'
import { type ManifestEntry } from '../format/manifest-node.ts'
import { readRange } from './read-range.ts'
import { TreeNodes } from './tree-nodes.ts'

const METADATA = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }

/** Chunks by their ids; those that are read are counted. */
class Chunks {
  readonly #plain = new Map<string, Uint8Array>()
  reads = 0

  add(plain: Uint8Array): Uint8Array {
    const id = createHash('sha256').update(plain).digest()
    this.#plain.set(id.toString('hex'), Buffer.from(plain))
    return id
  }

  read(id: Uint8Array): Promise<Uint8Array> {
    this.reads++
    return Promise.resolve(this.#plain.get(Buffer.from(id).toString('hex')) ?? Buffer.alloc(0))
  }
}

function build(entries: readonly ManifestEntry[]): { chunks: Chunks; root: Uint8Array } {
  const chunks = new Chunks()
  const builder = new ManifestBuilder((node) => chunks.add(node))
  for (const entry of entries)
    builder.add(entry, createHash('sha256').update(entry.path).digest().readUInt32LE(0))
  return { chunks, root: builder.finish() }
}

const directories = (paths: readonly string[]): ManifestEntry[] =>
  [...new Set(paths)]
    .sort((a, b) => comparePaths(Buffer.from(a), Buffer.from(b)))
    .map((path) => ({ type: 'directory', path: Buffer.from(path), ...METADATA }))

async function childrenOf(nodes: TreeNodes, directory: string): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of nodes.children(Buffer.from(directory))) found.push(path.toString())
  return found
}

// Names that sort between "a" and "a/": the order of paths is not that of their bytes.
const name = fc.constantFrom('a', 'b', 'a-', 'a.b', 'a b', '!', 'ab', 'é', 'z'.repeat(40))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

test('a directory lists each name in it once, and nothing else, whether it has an entry or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(path, { maxLength: 400 }), path, async (some, directory) => {
      const { chunks, root } = build(directories(some))
      const nodes = new TreeNodes(chunks, root)
      for (const [top, prefix] of [
        ['', ''],
        [directory, `${directory}/`],
      ] as const) {
        const below = some.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length))
        const names = new Set(below.map((one) => `${prefix}${one.split('/', 1)[0]}`))
        expect(new Set(await childrenOf(nodes, top))).toEqual(names)
        expect(await childrenOf(nodes, top)).toHaveLength(names.size)
      }
      const found = await nodes.lookUp(Buffer.from(directory))
      const expected = some.filter((one) => one === directory || one.startsWith(`${directory}/`))
      expect(found?.path.toString()).toEqual(directories(expected)[0]?.path.toString())
    }),
    { numRuns: 60 },
  )
})

test('a directory is listed without reading what is below the directories in it', async () => {
  const paths = Array.from({ length: 60_000 }, (_, i) => `top/d${i % 7}/e${i % 5}/f${i}`)
  const { chunks, root } = build(directories([...paths, 'top/file', 'zzz']))
  expect(await childrenOf(new TreeNodes(chunks, root), 'top')).toHaveLength(8)
  // Of some five hundred nodes: for each directory the way to where it ends.
  expect(chunks.reads).toBeLessThan(50)
  chunks.reads = 0
  expect(await childrenOf(new TreeNodes(chunks, root), '')).toEqual(['top', 'zzz'])
  expect(chunks.reads).toBeLessThan(10)
})

const CHUNK = 1000
const COUNT = 5000

/** A file of a long list of extents, each of which leaves out the ends of its chunk. */
async function longFile() {
  const extents = new Extents()
  const data = new Chunks()
  const bytes = Buffer.concat(
    Array.from({ length: COUNT }, (_, i) => {
      const plain = Buffer.alloc(CHUNK + 20, `${i} `)
      extents.add(data.add(plain), 7, CHUNK)
      return plain.subarray(7, 7 + CHUNK)
    }),
  )
  const size = bytes.length
  const path = Buffer.from('file')
  const { chunks, root } = build([{ type: 'file', path, ...METADATA, size, content: { extents } }])
  const file = await new TreeNodes(chunks, root).lookUp(path)
  if (file?.type !== 'file' || !('treeRoot' in file.content)) throw new Error('it has no tree')
  const read = async (id: Uint8Array) => {
    const plain = await chunks.read(id)
    return plain.length > 0 ? plain : await data.read(id)
  }
  return { file, chunks, data, bytes, reader: { read } }
}

test('any range of a file is what is there, and reads the chunks of that range alone', async () => {
  const { file, chunks, data, bytes, reader } = await longFile()
  const at = fc.integer({ min: 0, max: bytes.length })
  await fc.assert(
    fc.asyncProperty(at, fc.oneof(fc.integer({ min: 0, max: 5000 }), at), async (from, length) => {
      const to = Math.min(bytes.length, from + length)
      chunks.reads = 0
      data.reads = 0
      const pieces: Uint8Array[] = []
      for await (const piece of readRange(reader, file, { from, to })) pieces.push(piece)
      expect(Buffer.compare(Buffer.concat(pieces), bytes.subarray(from, to))).toBe(0)
      expect(data.reads).toBe(from === to ? 0 : Math.ceil(to / CHUNK) - Math.floor(from / CHUNK))
      if (to - from <= 5000) expect(chunks.reads - data.reads).toBeLessThan(8)
    }),
    { numRuns: 60 },
  )
})

test('a reading that is ended early reads no more', async () => {
  const { file, data, bytes, reader } = await longFile()
  const reading = readRange(reader, file, { from: 0, to: bytes.length })
  await reading.next()
  await reading.return(undefined)
  await new Promise((resolve) => setImmediate(resolve))
  // Some 4 MiB of its 5 MB.
  expect(data.reads).toBeGreaterThan(1)
  expect(data.reads).toBeLessThan(4200)
})

test('a file that is not as long as its entry says is an error, not short', async () => {
  const { file, bytes, reader } = await longFile()
  const longer = { ...file, size: bytes.length + 1 }
  const all = async () => {
    for await (const _ of readRange(reader, longer, { from: 0, to: longer.size }));
  }
  await expect(all()).rejects.toMatchObject({ code: 'corrupt' })
})

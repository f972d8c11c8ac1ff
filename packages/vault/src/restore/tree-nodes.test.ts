import { createHash } from 'node:crypto'
import { deriveKeys } from '@pipe-backup/crypto'
import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManifestBuilder } from '../backup/manifest-builder.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { TreeNodes } from './tree-nodes.ts'
import type { ReadsChunks } from './walk-manifest.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))
const METADATA = { mode: 0o755, uid: 0, gid: 0, user: '', group: '', mtimeNs: 0n }

interface Built {
  readonly chunks: ReadsChunks
  readonly root: Uint8Array
  readonly reads: () => number
}

async function build(paths: readonly string[]): Promise<Built> {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, [], 8 * 1024 * 1024)
  const builder = new ManifestBuilder((node, kind) => chunks.add(Buffer.from(node), kind))
  for (const path of paths) {
    const bytes = Buffer.from(path)
    const hash = createHash('sha256').update(bytes).digest().readUInt32LE(0)
    builder.add({ type: 'directory', path: bytes, ...METADATA }, hash)
  }
  const root = builder.finish()
  const reader = await chunks.read(chunks.finish([sink]), [sink])
  let reads = 0
  return { root, reads: () => reads, chunks: { read: (id) => (reads++, reader.read(id)) } }
}

/** The names in a directory; one of which only what is in it is there ends with a slash. */
async function namesIn({ chunks, root }: Built, directory: string, from?: string): Promise<string[]> {
  const names: string[] = []
  const begin = from === undefined ? undefined : Buffer.from(from)
  for await (const { path: at, entry } of new TreeNodes(chunks, root).children(
    Buffer.from(directory),
    begin,
  )) {
    const isOwn = entry.path.length === at.length
    names.push(`${Buffer.from(at.subarray(at.lastIndexOf(0x2f) + 1)).toString()}${isOwn ? '' : '/'}`)
  }
  return names
}

function sorted(paths: Iterable<string>): string[] {
  return [...new Set(paths)].sort((a, b) => comparePaths(Buffer.from(a), Buffer.from(b)))
}

const name = fc.constantFrom('a', 'b', 'a-', 'a.b', 'a b', '!', 'ab', 'é', 'z'.repeat(40))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

test('what is directly in a directory is given, in order, once, from any name on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(path, { maxLength: 300 }), path, name, async (some, directory, from) => {
      const paths = sorted(some)
      const built = await build(paths)
      for (const [within, prefix] of [
        ['', ''],
        [directory, `${directory}/`],
      ] as const) {
        const below = paths.filter((one) => one.startsWith(prefix) && one.length > prefix.length)
        const expected = sorted(below.map((one) => one.slice(prefix.length).split('/')[0] ?? ''))
        const marked = expected.map((one) => (paths.includes(`${prefix}${one}`) ? one : `${one}/`))
        expect(await namesIn(built, within)).toEqual(marked)
        expect(await namesIn(built, within, from)).toEqual(
          marked.filter((_, i) => comparePaths(Buffer.from(expected[i] ?? ''), Buffer.from(from)) >= 0),
        )
      }
    }),
    { numRuns: 50 },
  )
})

test('large trees in a directory are not read to list it, nor the names before those that are wanted', async () => {
  const built = await build(
    sorted([
      ...Array.from({ length: 20_000 }, (_, i) => `top/tree/d${i % 173}/f${i}`),
      ...Array.from({ length: 10_000 }, (_, i) => `top/many/f${String(i).padStart(5, '0')}`),
      'top/zz',
    ]),
  )
  expect(await namesIn(built, 'top')).toEqual(['many/', 'tree/', 'zz'])
  expect(built.reads()).toBeLessThan(25)
  const before = built.reads()
  expect((await namesIn(built, 'top/many', 'f0999')).length).toBe(10)
  expect(built.reads() - before).toBeLessThan(10)
})

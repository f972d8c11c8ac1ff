import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Built, buildManifests as build, type Tree } from '../test-support/memory-manifests.ts'
import { type MergeOptions, mergeManifests } from './merge-manifests.ts'

/** Lines `path mode=manifests …`. */
async function merge({ reader, roots }: Built, options?: MergeOptions): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, found } of mergeManifests(reader, roots, options)) {
    const modes = new Map<number, number[]>()
    for (const { entry, manifests } of found)
      modes.set(entry.mode, [...(modes.get(entry.mode) ?? []), ...manifests])
    lines.push(lineOf(Buffer.from(path).toString(), modes))
  }
  return lines
}

function lineOf(path: string, modes: ReadonlyMap<number, readonly number[]>): string {
  const parts = [...modes].map(([mode, manifests]) => `${mode}=${manifests.toSorted((a, b) => a - b)}`)
  return `${path} ${parts.sort().join(' ')}`
}

/** The same, from all of them in memory. */
function expected(trees: readonly Tree[]): string[] {
  const paths = [...new Set(trees.flatMap((tree) => [...tree.keys()]))]
  paths.sort((a, b) => comparePaths(Buffer.from(a), Buffer.from(b)))
  return paths.map((path) => {
    const modes = new Map<number, number[]>()
    for (const [manifest, tree] of trees.entries()) {
      const mode = tree.get(path)
      if (mode !== undefined) modes.set(mode, [...(modes.get(mode) ?? []), manifest])
    }
    return lineOf(path, modes)
  })
}

const name = fc.constantFrom('a', 'b', 'a-', 'a.b', 'a b', '!', 'ab', 'é', 'z'.repeat(40))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const tree = fc.array(fc.tuple(path, fc.nat(2)), { maxLength: 300 }).map((entries): Tree => new Map(entries))

test('any manifests are merged as if they were in memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tree, { maxLength: 5 }), async (trees) => {
      expect(await merge(await build(trees))).toEqual(expected(trees))
    }),
    { numRuns: 60 },
  )
})

const many: Tree = new Map(Array.from({ length: 20_000 }, (_, i) => [`d${i % 173}/f${i}`, i % 7]))

/** Each with one change more than the one before: a new entry, one that is gone, one that is another. */
const history: readonly Tree[] = Array.from({ length: 12 }, (_, i) => {
  const changed = new Map(many)
  for (let j = 0; j < i; j++) {
    changed.set(`d${j * 11}/new`, 1)
    changed.delete(`d${j * 7}/f${j * 7}`)
    changed.set(`d${j * 5}/f${j * 5 + 173}`, 8)
  }
  return changed
})

test('what many manifests share is read once', async () => {
  const built = await build(history)
  expect(await merge(built)).toEqual(expected(history))
  const nodes = new Set(built.read).size
  expect(nodes).toBeGreaterThan(100)
  // Where one has a level or a cut more than the other, a node may come at two times.
  expect(built.read.length).toBeLessThan(nodes * 1.1)
})

test('what two share is left out unread, and what differs is all there', async () => {
  const first = history[0] ?? many
  const last = history.at(-1) ?? many
  const built = await build([first, last])
  const wanted = expected([first, last]).filter((line) => !/ \d=0,1$/.test(line))
  const found = await merge(built, { skipShared: true })
  expect(wanted).toHaveLength(33)
  expect(found.filter((line) => !/ \d=0,1$/.test(line))).toEqual(wanted)
  const all = await build([first, last])
  await merge(all)
  expect(built.read.length).toBeLessThan(all.read.length * 0.8)
  const same = await build([first, first])
  expect(await merge(same, { skipShared: true })).toEqual([])
  expect(same.read).toEqual([])
})

test('a path is found by few of the nodes of all', async () => {
  const built = await build(history)
  const lines = await merge(built, { below: Buffer.from('d11') })
  expect(lines).toEqual(expect.arrayContaining(expected(history).filter((line) => /^d11[/ ]/.test(line))))
  expect(built.read.length).toBeLessThan(60)
})

test('a node that can not be read is reported with its manifests, and the others go on', async () => {
  const first = history[0] ?? many
  const last = history.at(-1) ?? many
  const { reader, roots } = await build([first, last])
  const only = await build([last])
  await merge(only)
  const shared = await build([first])
  await merge(shared)
  const known = new Set(shared.read)
  const lost = only.read.findLast((id) => !known.has(id))
  const failing = {
    read: (id: Uint8Array) =>
      Buffer.from(id).toString('hex') === lost ? Promise.reject(new Error('gone')) : reader.read(id),
  }
  const reported: (readonly number[])[] = []
  const lines = await merge(
    { reader: failing, roots, read: [] },
    { onUnreadable: (_error, manifests) => reported.push(manifests) },
  )
  expect(reported).toEqual([[1]])
  const paths = new Set(lines.map((line) => line.split(' ')[0]))
  expect([...first.keys()].filter((path) => !paths.has(path))).toEqual([])
  await expect(merge({ reader: failing, roots, read: [] })).rejects.toThrow('gone')
})

test('manifests without entries, and none, give nothing', async () => {
  expect(await merge(await build([new Map(), new Map()]))).toEqual([])
  const { reader, roots } = await build([new Map([['a', 1]])])
  expect(await merge({ reader, roots: [], read: [] })).toEqual([])
  const lines: number[][] = []
  for await (const { found } of mergeManifests(reader, [undefined, ...roots], { skipShared: true }))
    lines.push(...found.map(({ manifests }) => [...manifests]))
  expect(lines).toEqual([[1]])
})

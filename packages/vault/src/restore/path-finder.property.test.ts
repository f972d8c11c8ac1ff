import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Built, buildManifests, type Tree } from '../test-support/memory-manifests.ts'
import { PathFinder } from './path-finder.ts'

/** What each manifest has at the path: an entry's mode, `inferred`, or nothing; and the longest beginning of it that any has. */
async function find({ reader, roots }: Built, path: string) {
  const finder = new PathFinder(reader, Buffer.from(path))
  const found = await Promise.all(
    roots.map(async (root) => {
      const at = await finder.in(root)
      return at === undefined || at === 'inferred' ? at : at.mode
    }),
  )
  return { found, nearest: Buffer.from(finder.nearest).toString() }
}

/** The same, from all of them in memory. */
function expected(trees: readonly Tree[], path: string) {
  const hasBelow = (tree: Tree, above: string) => [...tree.keys()].some((one) => one.startsWith(`${above}/`))
  const found = trees.map((tree) => tree.get(path) ?? (hasBelow(tree, path) ? 'inferred' : undefined))
  const parts = path.split('/')
  const beginnings = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  const isThere = (one: string) => trees.some((tree) => tree.has(one) || hasBelow(tree, one))
  return { found, nearest: beginnings.findLast(isThere) ?? '' }
}

const name = fc.constantFrom('a', 'b', 'a-', 'a.b', 'a b', '!', 'ab', 'é', 'z'.repeat(40))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const tree = fc.array(fc.tuple(path, fc.nat(2)), { maxLength: 300 }).map((entries): Tree => new Map(entries))

test('any path is found in any manifests as if they were in memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tree, { maxLength: 4 }), path, async (trees, wanted) => {
      expect(await find(await buildManifests(trees), wanted)).toEqual(expected(trees, wanted))
    }),
    { numRuns: 100 },
  )
})

test('of many large manifests a few nodes are read, none of them twice', async () => {
  const first: Tree = new Map(Array.from({ length: 8000 }, (_, i) => [`d${i % 173}/f${i}`, i % 7]))
  const history = Array.from({ length: 6 }, (_, i): Tree => new Map([...first, [`d172/new${i}`, 1]]))
  const built = await buildManifests(history)
  for (const [wanted, nearest] of [
    ['d11/f11', 'd11/f11'],
    ['d172/new5', 'd172/new5'],
    ['d100/none', 'd100'],
    ['d99', 'd99'],
    ['zz', ''],
  ] as const) {
    const found = await find(built, wanted)
    const read = built.read.splice(0)
    expect(found).toEqual(expected(history, wanted))
    expect(found.nearest).toBe(nearest)
    expect(new Set(read).size).toBe(read.length)
    expect(read.length).toBeLessThan(6 * 4)
  }
})

test('a directory is there by what is in it, also where that begins another node', async () => {
  const names = Array.from({ length: 2000 }, (_, i) => `d${i}`)
  const built = await buildManifests([new Map(names.map((one) => [`${one}/f`, 1]))])
  const missing: string[] = []
  for (const one of names) {
    const { found, nearest } = await find(built, one)
    if (found[0] !== 'inferred' || nearest !== one) missing.push(one)
  }
  expect(new Set(built.read).size).toBeGreaterThan(3)
  expect(missing).toEqual([])
})

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeIndex, openIndex } from '../format/index-object.ts'
import { decodeFooterContent, encodeFooterContent, type PackChunk } from '../format/pack-format.ts'
import { sealObject } from '../format/sealed-object.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { codeOf, flips, truncations } from '../test-support/outcome.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { VaultError } from '../vault-error.ts'

const TREE = { a: 'the first file', 'd/b': 'the second '.repeat(20), 'd/empty': '' }
const EXPECTED = { 'tree/a': TREE.a, 'tree/d/b': TREE['d/b'], 'tree/d/empty': '' }
let vault: TestVault
let good: MemorySink

beforeAll(async () => {
  vault = await TestVault.create()
  await vault.run([new MemorySource('tree', TREE)])
  good = vault.sink('one')
})
afterAll(() => vault[Symbol.dispose]())

function keyOf(prefix: string, which = 0): string {
  const key = good.keys(prefix)[which]
  if (key === undefined) throw new Error(`the vault has no ${prefix}`)
  return key
}

/** Reads everything from a sink on which one object is other than it was: what came, and who was named. */
async function readWith(key: string, bytes: Uint8Array | undefined, without?: string) {
  const sink = good.copy()
  if (bytes) sink.objects.set(key, Buffer.from(bytes))
  else sink.objects.delete(key)
  if (without !== undefined) sink.objects.delete(without)
  const named = new Set<unknown>()
  // A chunk whose pack could not be found out about is in no pack that can be named; the pack itself has been by then.
  const note = (error: unknown) => {
    const key = error instanceof VaultError ? error.key : undefined
    if (key !== undefined) named.add(key)
    else if (named.size === 0 || codeOf(error) !== 'missing') named.add(error)
  }
  const texts: Record<string, string> = {}
  try {
    const restored = await vault.read([sink], 'latest', { onProblem: note })
    for (const [path, entry] of restored) texts[path] = entry.bytes?.toString() ?? ''
  } catch (error) {
    note(error)
  }
  return { texts, named: [...named] }
}

test('the vault is what the format says: header, two packs, an index, a snapshot, and nothing of the session', () => {
  expect(
    good
      .keys()
      .map((key) => key.replace(/[0-9a-f]{2}\/[0-9a-f]{64}|[0-9a-f]{32}|\d{8}t\d{6}z-[0-9a-f]{16}/, '…')),
  ).toEqual(['index/…', 'packs/…', 'packs/…', 'snapshots/…', 'vault.json'])
  for (const key of good.keys('packs/')) {
    const digest = createHash('sha256')
      .update(good.objects.get(key) ?? '')
      .digest('hex')
    expect(key).toBe(`packs/${digest.slice(0, 2)}/${digest}`)
  }
})

test('it restores with nothing but packs and the snapshot', async () => {
  expect(await readWith(keyOf('index/'), undefined, 'vault.json')).toEqual({ texts: EXPECTED, named: [] })
})

test.for([0, 1])('wherever pack %i is damaged, it is named or the bytes are right', async (which) => {
  const key = keyOf('packs/', which)
  const bytes = good.objects.get(key) ?? Buffer.alloc(0)
  const step = 3
  let found = 0
  for (const { at, damaged } of [...flips(bytes), ...truncations(bytes)]) {
    if (at % step !== 0) continue
    // Every other time there is no index, and the footer must do.
    const { texts, named } = await readWith(key, damaged, at % 2 === 0 ? keyOf('index/') : undefined)
    for (const [path, text] of Object.entries(texts))
      expect([at, path, text]).toEqual([at, path, EXPECTED[path as keyof typeof EXPECTED]])
    if (named.length === 0) expect([at, texts]).toEqual([at, EXPECTED])
    else {
      found++
      expect([at, named]).toEqual([at, [key]])
    }
  }
  expect(found).toBeGreaterThan(bytes.length / step)
})

test('wherever the index is damaged, it is named and everything restored', async () => {
  const key = keyOf('index/')
  const bytes = good.objects.get(key) ?? Buffer.alloc(0)
  const some = [...flips(bytes), ...truncations(bytes)].filter(({ at }) => at % 5 === 0)
  for (const { at, damaged } of some)
    expect([at, await readWith(key, damaged)]).toEqual([at, { texts: EXPECTED, named: [key] }])
})

const LIES: Record<string, (chunk: PackChunk) => PackChunk[]> = {
  'no chunk': () => [],
  'other places': (chunk) => [{ ...chunk, offset: chunk.offset + 1 }],
  'places beyond the pack': (chunk) => [{ ...chunk, offset: 2 ** 31 }],
  'another run key': (chunk) => [{ ...chunk, runKey: 7 }],
  'longer chunks': (chunk) => [{ ...chunk, rawLength: chunk.rawLength + 1 }],
}

test.for(Object.keys(LIES))(
  'an index that lists %s falsely, under the right key, loses nothing',
  async (lie) => {
    const key = keyOf('index/')
    const lying = openIndex(vault.keys, key, good.objects.get(key) ?? Buffer.of()).map((pack) => {
      const { hostId, chunks } = decodeFooterContent(pack.footer)
      return {
        ...pack,
        footer: encodeFooterContent({ hostId, chunks: chunks.flatMap(LIES[lie] ?? (() => [])) }),
      }
    })
    const { texts } = await readWith(key, sealObject(vault.host, key, encodeIndex(lying)))
    expect(texts).toEqual(EXPECTED)
  },
)

test('a missing pack is named, and gives nothing', async () => {
  for (const which of [0, 1]) {
    const key = keyOf('packs/', which)
    const { texts, named } = await readWith(key, undefined)
    expect(named).toEqual([key])
    expect(texts).toEqual({})
  }
})

test('objects under one another’s names are refused', async () => {
  const [snapshot, index] = [keyOf('snapshots/'), keyOf('index/')]
  const swapped = await readWith(index, good.objects.get(snapshot))
  expect(swapped).toEqual({ texts: EXPECTED, named: [index] })
  const sink = good.copy()
  sink.objects.set(snapshot, good.objects.get(index) ?? Buffer.alloc(0))
  const problems: Error[] = []
  await expect(vault.read([sink])).rejects.toMatchObject({ code: 'not-found' })
  sink.objects.set(
    snapshot.replace(/^snapshots\/\d{8}/, 'snapshots/20010101'),
    good.objects.get(snapshot) ?? Buffer.alloc(0),
  )
  await expect(
    vault.read([sink], 'latest', { onProblem: (error) => problems.push(error) }),
  ).rejects.toMatchObject({
    code: 'not-found',
  })
})

test('nothing of another vault opens here', async () => {
  using other = await TestVault.create(['one'], 8)
  await other.run([new MemorySource('tree', { a: 'another vault' })])
  const sink = good.copy()
  for (const key of other
    .sink('one')
    .keys()
    .filter((name) => name !== 'vault.json'))
    sink.objects.set(key, other.sink('one').objects.get(key) ?? Buffer.alloc(0))
  expect((await vault.snapshots([sink])).length).toBe(1)
  expect(await vault.texts([sink])).toEqual(EXPECTED)
  expect((await other.snapshots([sink])).length).toBe(1)
  expect(await other.texts([sink])).toEqual({ 'tree/a': 'another vault' })
})

test('two sinks, each with another half of the packs, give everything together', async () => {
  const [first, second] = [new MemorySink('first'), good.copy('second')]
  for (const key of good.keys())
    if (key !== keyOf('packs/', 1)) first.objects.set(key, good.objects.get(key) ?? Buffer.alloc(0))
  second.objects.delete(keyOf('packs/', 0))
  expect(await vault.texts([first, second])).toEqual(EXPECTED)
})

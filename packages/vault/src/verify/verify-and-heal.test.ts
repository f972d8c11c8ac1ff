import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys } from '@pipe-backup/crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeIndex, openIndex } from '../format/index-object.ts'
import { decodeFooterContent, encodeFooterContent } from '../format/pack-format.ts'
import { sealObject } from '../format/sealed-object.ts'
import { addGrant } from '../store/grant.ts'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import type { VerifyReport } from './report.ts'

const SINKS = ['one', 'two', 'three']
const source = new MemorySource('tree', {
  a: 'the first',
  'd/b': 'the second '.repeat(20),
  large: randomBytes(300_000),
})
let vault: TestVault
/** The keys and bytes of a sink as they were. */
let whole: Map<string, Buffer>

beforeAll(async () => {
  vault = await TestVault.create(SINKS)
  await vault.run([source])
  source.set('a', 'the first, changed')
  await vault.run([source])
  const { publicKey } = await deriveKeys(new Uint8Array(32).fill(8))
  await addGrant({
    sinks: vault.sinks,
    vaultId: vault.host.vaultId,
    master: vault.master,
    recipient: publicKey,
  })
  whole = contentOf(vault.sink('one'))
})
afterAll(() => vault[Symbol.dispose]())

function contentOf(sink: MemorySink): Map<string, Buffer> {
  return new Map([...sink.objects].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function restoreAll(): void {
  for (const name of SINKS) {
    const { objects } = vault.sink(name)
    objects.clear()
    for (const [key, bytes] of whole) objects.set(key, bytes)
  }
  // Or else it would be seen that the sinks are rolled back.
  rmSync(join(vault.stateDirectory, 'own-snapshots.json'), { force: true })
}

const flipped = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

const DAMAGES: Readonly<Record<string, (bytes: Buffer, key: string) => Buffer | undefined>> = {
  gone: () => undefined,
  emptied: () => Buffer.alloc(0),
  'cut in half': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'flipped in its first byte': (bytes) => flipped(bytes, 0),
  'flipped in the middle': (bytes) => flipped(bytes, bytes.length >> 1),
  'flipped in its last byte': (bytes) => flipped(bytes, bytes.length - 1),
  'one byte too long': (bytes) => Buffer.concat([bytes, Buffer.of(0)]),
  swapped: (_, key) =>
    [...whole].find(([other]) => other !== key && other.slice(0, 4) === key.slice(0, 4))?.[1] ??
    Buffer.from('{}'),
}

test('what is whole is found to be whole, by its hash and to the last chunk', async () => {
  restoreAll()
  for (const deep of [false, true]) {
    const report = await vault.verify({ deep })
    expect(report).toMatchObject({ exitCode: 0, snapshots: 2, lost: [] })
    expect(report.sinks.map(({ name, state, packsProven }) => [name, state, packsProven])).toEqual(
      SINKS.map((name) => [name, 'ok', vault.sink(name).keys('packs/').length]),
    )
  }
})

test.for(Object.entries(DAMAGES))(
  'whichever object is %s: it is named, and healed from another sink',
  async ([, damage]) => {
    for (const [key, bytes] of whole) {
      restoreAll()
      const two = vault.sink('two')
      const corrupt = damage(bytes, key)
      // Blanks at the end of JSON are no damage.
      if (key === 'vault.json' && corrupt?.length === bytes.length + 1) continue
      if (corrupt) two.objects.set(key, corrupt)
      else two.objects.delete(key)

      const report = await vault.verify()
      const named = report.sinks.flatMap(({ problems }) =>
        problems.map((problem) => [problem.sink, problem.key]),
      )
      // An index is a cache: without it nothing is missing.
      const isLack = corrupt === undefined && key.startsWith('index/')
      expect({ key, named, exitCode: report.exitCode }).toEqual({
        key,
        named: isLack ? [] : [['two', key]],
        exitCode: isLack ? 0 : 1,
      })

      expect(await vault.heal()).toMatchObject({ exitCode: 0, lost: [] })
      expect(contentOf(two)).toEqual(whole)
      expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
    }
  },
)

test('the next run heals what a verification has found', async () => {
  restoreAll()
  const two = vault.sink('two')
  const [pack = ''] = two.keys('packs/')
  two.objects.set(pack, flipped(whole.get(pack) ?? Buffer.alloc(0), 99))
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  expect(await vault.run([source])).toMatchObject({ exitCode: 0 })
  expect(two.objects.get(pack)).toEqual(whole.get(pack))
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('what no sink has whole is reported with the snapshots that need it, and stored again by the next run', async () => {
  restoreAll()
  // The pack of the data that has not changed: both snapshots need it.
  const [large = ''] =
    [...whole]
      .filter(([key]) => key.startsWith('packs/'))
      .toSorted(([, a], [, b]) => b.length - a.length)[0] ?? []
  for (const name of SINKS)
    vault.sink(name).objects.set(large, flipped(whole.get(large) ?? Buffer.alloc(0), 5000))
  const ids = (await vault.snapshots()).map(({ id }) => id).sort()
  const report = await vault.verify()
  expect(report).toMatchObject({ exitCode: 1, lost: [{ key: large, snapshots: ids }] })
  expect(await vault.heal()).toMatchObject({ exitCode: 1, lost: [{ key: large }] })
  await vault.run([source])
  const texts = await vault.texts(vault.sinks, 'latest')
  expect(Object.keys(texts)).toEqual(['tree/a', 'tree/d/b', 'tree/large'])
  for (const name of SINKS) expect(await vault.texts([vault.sink(name)], 'latest')).toEqual(texts)
})

test('a sink whose snapshot is damaged and unrecoverable is not level, until the snapshot is back or gone', async () => {
  restoreAll()
  const key = [...whole.keys()].find((name) => name.startsWith('snapshots/')) ?? ''
  const good = whole.get(key) ?? Buffer.alloc(0)
  for (const name of SINKS) vault.sink(name).objects.set(key, flipped(good, good.length >> 1))
  await vault.verify()
  const problems: string[] = []
  const report = await vault.heal({ onProblem: (sink, { message }) => problems.push(`${sink}: ${message}`) })
  expect(report.exitCode).toBe(1)
  expect(report.sinks.map(({ state }) => state)).toEqual(['behind', 'behind', 'behind'])
  expect(problems).toContain(`two: ${key} is damaged, and intact on no sink`)
  for (const name of SINKS) vault.sink(name).objects.set(key, good)
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  for (const name of SINKS) vault.sink(name).objects.set(key, Buffer.alloc(0))
  expect(await vault.heal()).toMatchObject({ exitCode: 1 })
  for (const name of SINKS) vault.sink(name).objects.delete(key)
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  restoreAll()
  await vault.verify()
})

test('an index that says something else than the packs, under the right key, is found by opening them, and goes', async () => {
  restoreAll()
  const [key = ''] = vault.sink('one').keys('index/')
  const lying = openIndex(vault.keys, key, whole.get(key) ?? Buffer.of()).map((pack) => {
    const { hostId, chunks } = decodeFooterContent(pack.footer)
    const elsewhere = chunks.map((chunk) => ({ ...chunk, offset: chunk.offset + 1 }))
    return { ...pack, footer: encodeFooterContent({ hostId, chunks: elsewhere }) }
  })
  const object = sealObject(vault.host, key, encodeIndex(lying))
  for (const name of SINKS) vault.sink(name).objects.set(key, object)

  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
  const { sinks, exitCode } = await vault.verify({ deep: true })
  expect(exitCode).toBe(1)
  expect(sinks.flatMap(({ problems }) => problems)).toEqual(
    SINKS.map((sink) => expect.objectContaining({ sink, key, why: 'corrupt' })),
  )
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  for (const name of SINKS) expect(vault.sink(name).keys('index/')).not.toContain(key)
  await vault.run([source])
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('samples go through everything in turn, and find each flipped bit within one round', async () => {
  restoreAll()
  for (const key of vault.sink('one').keys('packs/')) {
    vault.sink('one').objects.set(key, flipped(whole.get(key) ?? Buffer.alloc(0), 200))
    const found: string[] = []
    let proven = 0
    for (let round = 0; round < 5; round++) {
      const report = await vault.verify({ sample: 0.2, onProblem: (problem) => found.push(problem.key) })
      proven += report.sinks[1]?.packsProven ?? 0
    }
    expect({ found, proven }).toEqual({ found: [key], proven: vault.sink('two').keys('packs/').length })
    await vault.heal()
  }
})

test('a provider that takes a repaired object for the one it has is made to store it', async () => {
  restoreAll()
  const two = vault.sink('two')
  const [pack = ''] = two.keys('packs/')
  two.objects.set(pack, flipped(whole.get(pack) ?? Buffer.alloc(0), 99))
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  const put = two.put.bind(two)
  two.put = async (key, bytes, options) => {
    if (!two.objects.get(key)) await put(key, bytes, options)
  }
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  two.put = put
  expect(two.objects.get(pack)).toEqual(whole.get(pack))
})

test('a snapshot that a run is bringing to one sink after the other is missing on none', async () => {
  restoreAll()
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const put = two.put.bind(two)
  let during: VerifyReport | undefined
  two.put = async (key, bytes, options) => {
    if (key.startsWith('snapshots/')) {
      expect(one.objects.get(key)).toBeDefined()
      during = await vault.verify()
    }
    await put(key, bytes, options)
  }
  try {
    expect(await vault.run([source])).toMatchObject({ exitCode: 0 })
  } finally {
    two.put = put
  }
  expect(during).toMatchObject({ exitCode: 0, snapshots: 3 })
  // The run is over: now it would be.
  const [newest = ''] = two.keys('snapshots/').slice(-1)
  two.objects.delete(newest)
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  restoreAll()
  await vault.heal()
})

test('a sink that is away is reported, and the others are verified', async () => {
  restoreAll()
  const two = vault.sink('two')
  two.before = () => {
    throw two.error('unreachable')
  }
  const report = await vault.verify()
  two.before = undefined
  expect(report.sinks.map(({ state }) => state)).toEqual(['ok', 'failed', 'ok'])
  expect(report).toMatchObject({ exitCode: 1, lost: [] })
})

test('a provider that proves SHA-256 by itself is not read from', async () => {
  restoreAll()
  const one = vault.sink('one')
  const head = one.head.bind(one)
  one.head = async (key, options) => {
    const info = await head(key, options)
    return info && { ...info, sha256: key.slice(-64) }
  }
  const report = await vault.verify()
  one.head = head
  expect(report.sinks.map(({ bytesRead, state }) => [bytesRead > 0, state])).toEqual([
    [false, 'ok'],
    [true, 'ok'],
    [true, 'ok'],
  ])
})

test('a new sink is filled, and restores alone; one that may only not be mounted is refused', async () => {
  restoreAll()
  const three = vault.sink('three')
  three.objects.clear()
  expect(await vault.heal()).toMatchObject({
    exitCode: 1,
    sinks: [
      { state: 'level' },
      { state: 'level' },
      { state: 'failed', error: expect.stringContaining('holds no vault') },
    ],
  })
  expect(three.keys()).toEqual([])
  expect(await vault.heal({ isNew: (sink) => sink === 'three' })).toMatchObject({ exitCode: 0 })
  expect(contentOf(three)).toEqual(whole)
  expect(await vault.texts([three])).toEqual(await vault.texts([vault.sink('one')]))
})

test.each(['snapshots/', 'index/'])(
  'a damaged vault.json is repaired beside anything in %s that opens, and not beside what does not',
  async (prefix) => {
    restoreAll()
    const three = vault.sink('three')
    const kept = three.keys(prefix)[0] ?? expect.fail(`nothing in ${prefix}`)
    const bytes = whole.get(kept) ?? Buffer.of()
    for (const key of three.keys()) if (key !== kept) three.objects.delete(key)
    three.objects.set('vault.json', Buffer.of())
    three.objects.set(kept, flipped(bytes, bytes.length - 1))
    const refused = await vault.heal({ isNew: () => true })
    expect(refused.sinks[2]).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('vault.json is not JSON'),
      hint: expect.stringContaining('delete it by hand, and `pipe-backup heal --sink three` fills'),
    })
    expect(three.objects.get('vault.json')).toEqual(Buffer.of())
    three.objects.set(kept, bytes)
    expect(await vault.heal()).toMatchObject({ exitCode: 0 })
    expect(contentOf(three)).toEqual(whole)
  },
)

test('whichever put of a healing fails: what the sink shows restores, and the next heals the rest', async () => {
  for (let failing = 0; failing < 10; failing++) {
    restoreAll()
    const three = vault.sink('three')
    for (const key of three.keys().filter((name) => name !== 'vault.json')) three.objects.delete(key)
    let puts = 0
    three.before = (operation) => {
      if (operation === 'put' && puts++ === failing) throw three.error('full')
    }
    const report = await vault.heal()
    three.before = undefined
    expect(report.exitCode).toBe(puts > failing ? 1 : 0)
    for (const { id } of await vault.snapshots([three])) {
      expect(await vault.texts([three], id)).toEqual(await vault.texts([vault.sink('one')], id))
    }
    expect(await vault.heal()).toMatchObject({ exitCode: 0 })
    expect(contentOf(three)).toEqual(whole)
  }
})

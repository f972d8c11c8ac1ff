import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { ObjectInfo } from '@pipe-backup/sink'
import { memorySink } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { listObjects } from './read-sink.ts'

const source = new MemorySource('tree', { a: 'the first', 'd/b': 'the second '.repeat(20) })

/** Shows objects that are not there. */
function listAlso(sink: MemorySink, objects: readonly ObjectInfo[]): void {
  const list = sink.list.bind(sink)
  sink.list = async function* (prefix, options) {
    yield* list(prefix, options)
    for (const object of objects) if (object.key.startsWith(prefix)) yield object
  }
}

test('of large objects, garbage as they may be, one is read at a time, on however many sinks', async () => {
  using vault = await TestVault.create(['bad', 'worse'])
  const { snapshot } = await vault.run([source])
  let [now, most, read] = [0, 0, 0]
  for (const sink of vault.sinks) {
    for (let i = 0; i < 8; i++)
      sink.objects.set(`snapshots/20261123t10000${i}z-000000000000000${i}`, randomBytes(9 * 1024 * 1024))
    const get = sink.get.bind(sink)
    sink.get = async (key, options) => {
      if ((options?.maxBytes ?? 0) <= 8 * 1024 * 1024) return get(key, options)
      most = Math.max(most, ++now)
      read++
      await pause(1)
      return get(key, options).finally(() => now--)
    }
  }
  expect((await vault.snapshots(vault.sinks)).map(({ id }) => id)).toEqual([snapshot])
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  expect([most, read]).toEqual([1, 32])
})

test('a trash object that is listed and can not be had holds nobody up', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  const key = 'trash/20261123t100000z-0123456789abcdef'
  listAlso(vault.sink('bad'), [{ key, sizeBytes: 500, storedAt: new Date() }])
  expect(await vault.run([source])).toMatchObject({ copies: 2 })
  expect(vault.sinkProblems).toEqual([
    { sink: 'bad', error: expect.objectContaining({ code: 'missing', key }) },
  ])
  expect(await vault.prune()).toMatchObject({
    exitCode: 3,
    sinks: [
      { name: 'bad', state: 'failed', error: expect.stringContaining(key) },
      { name: 'good', state: 'pruned' },
    ],
  })
})

test('a sink that does not list the sessions which it was given is left alone, and the others are pruned and healed', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  await vault.run([source])
  const bad = vault.sink('bad')
  const list = bad.list.bind(bad)
  bad.list = async function* (prefix, options) {
    if (prefix !== 'sessions/') yield* list(prefix, options)
  }
  const sinks = [{ name: 'bad', state: 'failed', error: expect.stringContaining('is not listed') }]
  expect(await vault.prune()).toMatchObject({ exitCode: 3, sinks: [...sinks, { state: 'pruned' }] })
  expect(await vault.heal()).toMatchObject({ exitCode: 1, sinks: [...sinks, { state: 'level' }] })
})

test('a prune’s session that one sink alone goes on showing does not keep the others from being pruned', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  await vault.run([source])
  const bad = vault.sink('bad')
  bad.before = (operation, key) => {
    if (operation === 'delete' && key.startsWith('sessions/')) throw bad.error('unreachable')
  }
  await vault.prune()
  bad.before = undefined
  expect(await vault.prune()).toMatchObject({
    exitCode: 3,
    sinks: [
      { name: 'bad', state: 'failed', error: expect.stringContaining('has been pruning this vault') },
      { name: 'good', state: 'pruned' },
    ],
  })
  vault.sink('good').before = () => {
    throw vault.sink('good').error('unreachable')
  }
  await expect(vault.prune()).rejects.toMatchObject({ code: 'busy', sink: 'bad' })
})

test.for(['damaged', 'reported damaged by the sink itself', 'listed and not there'])(
  'however many packs are left on one sink alone, and are %s: the run reads again and stores them again',
  async (what) => {
    using vault = await TestVault.create(['bad', 'good', 'better'])
    const grown = new MemorySource('tree', {})
    for (let i = 0; i < 4; i++) {
      grown.set(`f${i}`, randomBytes(9000))
      await vault.run([grown])
    }
    const bad = vault.sink('bad')
    const packs = bad.keys('packs/')
    const sizes = new Map(packs.map((key) => [key, bad.objects.get(key)?.length ?? 0]))
    for (const key of packs) {
      for (const sink of vault.sinks) sink.objects.delete(key)
      if (what === 'damaged') bad.objects.set(key, randomBytes(sizes.get(key) ?? 0))
    }
    if (what !== 'damaged') {
      const storedAt = new Date()
      listAlso(
        bad,
        packs.map((key) => ({ key, sizeBytes: sizes.get(key) ?? 0, storedAt })),
      )
    }
    if (what.startsWith('reported')) {
      bad.before = (operation, key) => {
        if (operation === 'get' && sizes.has(key)) throw bad.error('corrupt', key)
      }
    }
    const report = await vault.run([grown], { copies: 2 })
    const held = { copies: 3, sources: [{ bytesRead: 36_000 }] }
    expect(report).toMatchObject(held)
    for (const name of ['good', 'better'])
      expect(Object.keys(await vault.texts([vault.sink(name)]))).toHaveLength(4)
  },
)

test('a snapshot that opens nowhere is reported on the sink that shows it alone', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  await vault.run([source])
  const key = 'snapshots/20261123t100000z-0123456789abcdef'
  vault.sink('bad').objects.set(key, randomBytes(100))
  const { exitCode, sinks } = await vault.verify()
  expect(exitCode).toBe(1)
  expect(sinks.map(({ problems }) => problems.map((problem) => problem.key))).toEqual([[key], []])
})

test('nothing is read of a sink without saying how much it may be', async () => {
  using vault = await TestVault.create(['one', 'two'])
  let reads = 0
  for (const name of ['one', 'two']) {
    const sink = vault.sink(name)
    const get = sink.get.bind(sink)
    sink.get = (key, options) => {
      reads++
      expect(options?.length ?? options?.maxBytes, `get ${key}`).toBeGreaterThan(0)
      return get(key, options)
    }
  }
  await vault.run([source])
  await vault.run([new MemorySource('tree', { a: 'the second' })])
  await vault.prune()
  await vault.verify()
  vault.sink('two').objects.clear()
  await vault.heal()
  await vault.texts()
  expect(reads).toBeGreaterThan(10)
})

test('a vault.json that is longer than any can be is damaged, and repaired', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  await vault.run([source])
  const bad = vault.sink('bad')
  const header = bad.objects.get('vault.json') ?? Buffer.of()
  bad.objects.set('vault.json', Buffer.concat([header, Buffer.alloc(64 * 1024, ' ')]))
  expect(await vault.verify()).toMatchObject({
    sinks: [
      { name: 'bad', problems: [{ key: 'vault.json', why: 'corrupt' }] },
      { name: 'good', problems: [] },
    ],
  })
  await vault.heal()
  expect(bad.objects.get('vault.json')).toEqual(header)
})

test('a listing without end is given up', async () => {
  async function* forEver(): AsyncGenerator<ObjectInfo> {
    for (let i = 0; ; i++) yield { key: `packs/ab/${i}`, sizeBytes: 1000, storedAt: new Date() }
  }
  const sink = memorySink('bad')
  sink.list = forEver
  const listing = async () => {
    for await (const { key } of listObjects(sink, 'packs/', undefined, 1000)) expect(key).toContain('packs/')
  }
  await expect(listing()).rejects.toMatchObject({ code: 'protocol', sink: 'bad' })
})

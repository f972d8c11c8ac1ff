import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { VaultSession } from '../store/session.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { vaultStatus } from './vault-status.ts'

const HOUR_MS = 3_600_000
let clock = 0
const now = () => new Date(Date.parse('2026-01-01T00:00:00Z') + clock)
const statusOf = (vault: TestVault) =>
  vaultStatus({
    vaultId: vault.host.vaultId,
    keys: vault.keys,
    sinks: vault.sinks,
    stateDirectory: vault.stateDirectory,
    now,
  })

async function vaultWithRuns(hours: readonly number[]): Promise<TestVault> {
  clock = 0
  const vault = await TestVault.create(['one', 'two', 'three'], 7, now)
  const source = new MemorySource('tree', { steady: randomBytes(50_000) })
  for (const hour of hours) {
    clock = hour * HOUR_MS
    source.set('changing', randomBytes(100_000))
    await vault.run([source], { now })
  }
  return vault
}

test('sinks that are level are so, with what was stored when', async () => {
  using vault = await vaultWithRuns([1, 24 * 20, 24 * 26, 24 * 29 + 12])
  clock = 24 * 30 * HOUR_MS
  const { snapshots, sinks, sessions } = await statusOf(vault)
  expect(snapshots).toHaveLength(4)
  expect(sessions).toEqual([])
  const objects = [...vault.sink('two').objects].filter(([key]) => key !== 'vault.json')
  const bytes = objects.reduce((sum, [, { length }]) => sum + length, 0)
  for (const { bytesNew, growth, ...sink } of sinks) {
    expect(growth).toHaveLength(30)
    expect(growth[0]?.bytes).toBeGreaterThan(150_000)
    expect(growth[0]?.bytes).toBe(growth[9]?.bytes)
    expect(growth.at(-8)?.bytes).toBe(bytes - bytesNew.week)
    expect(growth.at(-2)?.bytes).toBe(bytes - bytesNew.day)
    expect(growth.at(-1)).toEqual({ time: now(), bytes })
    expect(sink).toMatchObject({
      state: 'ok',
      snapshots: 4,
      behind: 0,
      damaged: 0,
      objects: objects.length,
      bytes,
      latest: snapshots.at(-1)?.time,
    })
    const { day, week, month } = bytesNew
    expect([Math.floor(day / 100_000), Math.floor(week / 200_000), month]).toEqual([1, 1, bytes])
  }
})

test('a sink that lacks snapshots is behind, one that lacks what it needs is damaged, and one that is empty has failed', async () => {
  using vault = await vaultWithRuns([1, 2, 3])
  const [one, two, three] = vault.sinks
  for (const key of one?.keys('snapshots/').slice(1) ?? []) one?.objects.delete(key)
  two?.objects.delete(two.keys('packs/')[0] ?? '')
  three?.objects.clear()
  const { sinks } = await statusOf(vault)
  expect(sinks).toMatchObject([
    { state: 'behind', behind: 2, snapshots: 1, damaged: 0 },
    { state: 'damaged', behind: 0, damaged: 1 },
    { state: 'failed', error: 'sink "three" holds no vault', hint: expect.stringContaining('heal') },
  ])
})

test('what a verification has found is damaged until it is healed; what was removed is not lacked', async () => {
  using vault = await vaultWithRuns([1, 2, 3])
  const [one] = vault.sinks
  const [key = ''] = one?.keys('packs/') ?? []
  const whole = one?.objects.get(key) ?? Buffer.alloc(0)
  one?.objects.set(key, Buffer.from(whole).fill(7, 200, 300))
  expect((await statusOf(vault)).sinks[0]).toMatchObject({ state: 'ok' })
  await vault.verify({ now })
  expect((await statusOf(vault)).sinks[0]).toMatchObject({ state: 'damaged', damaged: 1 })
  await vault.heal({ now })
  const keep = (await vault.snapshots()).slice(-1).map(({ id }) => id)
  await vault.prune({ now, keep, sinks: vault.sinks.slice(0, 2) })
  const { sinks } = await statusOf(vault)
  expect(sinks).toMatchObject([
    { state: 'ok', snapshots: 1, behind: 0 },
    { state: 'ok', snapshots: 1 },
    { state: 'ok', snapshots: 3 },
  ])
  expect(sinks[0]?.bytesCondemned).toBeGreaterThan(90_000)
  expect(sinks[2]?.bytesCondemned).toBe(0)
})

test('work that goes on is shown, and known to be dead after a day', async () => {
  using vault = await vaultWithRuns([1])
  const record = {
    host: 'box',
    hostId: vault.host.hostId,
    started: now().toISOString(),
    kind: 'prune',
  } as const
  await using session = new VaultSession({ host: vault.host, record })
  for (const sink of vault.sinks.slice(1)) await session.join(sink)
  expect((await statusOf(vault)).sessions).toEqual([
    { ...record, version: 1, sinks: ['two', 'three'], isStale: false },
  ])
  clock += 25 * HOUR_MS
  expect((await statusOf(vault)).sessions).toMatchObject([{ isStale: true }])
})

test('a sink that missed a compaction is level with the others, and so are they; rubbish among its snapshots is its own', async () => {
  using vault = await vaultWithRuns([1, 2, 3, 4, 5, 6, 7, 8, 9])
  const one = vault.sink('one')
  one.before = () => {
    throw one.error('unreachable')
  }
  const { compacted } = await vault.prune({ compact: true, graceMs: 0, now })
  expect(compacted.from).toBeGreaterThan(0)
  one.before = undefined
  const states = async () => (await statusOf(vault)).sinks.map(({ state, behind }) => [state, behind])
  const level = ['ok', 0]
  expect(await states()).toEqual([level, level, level])
  one.objects.set('snapshots/20261123t100000z-0123456789abcdef', randomBytes(100))
  expect(await states()).toEqual([['damaged', 0], level, level])
})

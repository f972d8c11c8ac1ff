import { expect, test } from 'vitest'
import { newTrashKey, sealTrash } from '../format/trash-object.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

const START_MS = Date.parse('2026-01-01T00:00:00Z')
const HOUR_MS = 3_600_000

/** Three snapshots on two sinks, an hour apart. */
async function three(clock: { nowMs: number }): Promise<{ vault: TestVault; keys: readonly string[] }> {
  const vault = await TestVault.create(['one', 'two'], 7, () => new Date(clock.nowMs))
  const source = new MemorySource('tree', { steady: 'steady' })
  for (let i = 0; i < 3; i++) {
    clock.nowMs += HOUR_MS
    source.set('changing', `edition ${i}`)
    await vault.run([source], { now: () => new Date(clock.nowMs) })
  }
  return { vault, keys: vault.sink('one').keys('snapshots/').toSorted() }
}

test('a snapshot that opens only on a sink which can not be pruned has the time when that stored it', async () => {
  const clock = { nowMs: START_MS }
  const { vault, keys } = await three(clock)
  using _ = vault
  const [first = '', second = ''] = keys
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  one.objects.set(first, Buffer.from('damaged'))
  // Opens nowhere: what it needs there is not known.
  one.objects.delete(second)
  two.objects.set(second, Buffer.from('damaged'))
  let seen: readonly SnapshotInfo[] = []
  const report = await vault.prune({
    now: () => new Date(clock.nowMs),
    choose: (snapshots) => {
      seen = snapshots
      return new Set()
    },
  })
  expect(report.sinks.map(({ state }) => state)).toEqual(['pruned', 'failed'])
  expect(seen.map(({ storedAt }) => storedAt.getTime())).toEqual([START_MS + HOUR_MS, START_MS + 3 * HOUR_MS])
})

test('trash that says of what the policy keeps that it goes is over with the prune that finds it due: a healing brings it', async () => {
  const clock = { nowMs: START_MS }
  const { vault, keys } = await three(clock)
  using _ = vault
  const one = vault.sink('one')
  const time = new Date(clock.nowMs)
  const key = newTrashKey(time)
  const trash = {
    packs: one.keys('packs/').map((pack) => pack.slice(-64)),
    snapshots: keys.map((snapshot) => snapshot.slice(-16)),
    sessions: [],
  }
  await one.put(key, sealTrash(vault.host, key, time, trash))
  const newest = keys.at(-1) ?? ''
  one.objects.delete(newest)
  clock.nowMs += 25 * HOUR_MS
  const now = () => new Date(clock.nowMs)
  const keep = keys.slice(1).map((snapshot) => snapshot.slice(-16))
  // The oldest goes, so that what says so of it is still wanted.
  const pruned = await vault.prune({ now, keep, graceMs: 0 })
  for (const { packsCondemned, bytesCondemned } of pruned.sinks)
    expect(Math.min(packsCondemned, bytesCondemned)).toBeGreaterThanOrEqual(0)
  expect(await vault.heal({ now })).toMatchObject({ exitCode: 0 })
  expect(one.keys('snapshots/')).toContain(newest)
  expect(await vault.verify({ deep: true, now })).toMatchObject({ exitCode: 0 })
})

test('a pack stays that another sink needs and has lost, though that one can not be pruned', async () => {
  const clock = { nowMs: START_MS }
  const { vault, keys } = await three(clock)
  using _ = vault
  const [first = '', second = '', third = ''] = keys
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const texts = await vault.texts(vault.sinks, third.slice(-16))
  // The newest is shown by the second sink alone, which has lost its packs, and on which another snapshot opens no more.
  one.objects.delete(third)
  for (const pack of two.keys('packs/')) two.objects.delete(pack)
  one.objects.delete(first)
  two.objects.set(first, Buffer.from('damaged'))
  const now = () => new Date(clock.nowMs)
  const report = await vault.prune({ now, keep: [second, third].map((key) => key.slice(-16)), graceMs: 0 })
  expect(report.sinks.map(({ state }) => state)).toEqual(['pruned', 'failed'])
  expect(await vault.texts(vault.sinks, third.slice(-16))).toEqual(texts)
})

test('nor does a pack go that a sink with damaged trash needs and has lost', async () => {
  const clock = { nowMs: START_MS }
  const { vault, keys } = await three(clock)
  using _ = vault
  const now = () => new Date(clock.nowMs)
  const [, second = '', third = ''] = keys
  const keep = [second, third].map((key) => key.slice(-16))
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  await vault.prune({ now, keep })
  const texts = await vault.texts(vault.sinks, third.slice(-16))
  one.objects.delete(third)
  for (const pack of two.keys('packs/')) two.objects.delete(pack)
  for (const trash of two.keys('trash/')) two.objects.set(trash, Buffer.from('damaged'))
  for (let day = 0; day < 2; day++) {
    clock.nowMs += 25 * HOUR_MS
    await vault.prune({ now, keep })
  }
  expect(await vault.texts(vault.sinks, third.slice(-16))).toEqual(texts)
})

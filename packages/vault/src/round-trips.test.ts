import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findEntries } from './restore/find-entries.ts'
import { openSnapshot } from './restore/open-snapshot.ts'
import { selectSnapshot } from './store/snapshots.ts'
import { MemorySource } from './test-support/memory-source.ts'
import { TestVault } from './test-support/test-vault.ts'

/** A vault whose manifest has some twenty leaves, which two dozen runs have stored, in as many packs and index objects. */
const FILES = 2400
const RUNS = 24
let vault: TestVault

beforeAll(async () => {
  vault = await TestVault.create()
  const files = Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`f${i}`, 'as it was']))
  for (let run = 0; run < RUNS; run++) {
    files[`f${run * 100}`] = `changed by run ${run}`
    await vault.run([new MemorySource('tree', files)])
  }
})
afterAll(() => vault[Symbol.dispose]())

/** After so many turns of the event loop nobody asks for more who has all the answers. */
const QUIET_TURNS = 50

/** How often somebody waited for a sink that answers all at once whatever it is asked meanwhile. */
async function roundTrips(work: () => Promise<unknown>): Promise<number> {
  const waiting: (() => void)[] = []
  vault.sink('one').before = () => new Promise((resolve) => void waiting.push(resolve))
  let isDone = false
  const working = work().finally(() => {
    isDone = true
  })
  let trips = 0
  while (!isDone) {
    for (let quiet = 0, seen = 0; quiet < QUIET_TURNS && !isDone; quiet++) {
      await turn()
      if (waiting.length > seen) quiet = 0
      seen = waiting.length
    }
    if (waiting.length > 0) trips++
    for (const answer of waiting.splice(0)) answer()
  }
  vault.sink('one').before = undefined
  await working
  return trips
}

test('the snapshots of a day are listed in few round trips', async () => {
  expect(await roundTrips(() => vault.snapshots())).toBeLessThanOrEqual(5)
})

test('a snapshot whose manifest two dozen runs have stored is read in few round trips', async () => {
  const read = await roundTrips(() => vault.read())
  expect(read).toBeLessThanOrEqual(20)
})

test('an entry is searched for in all snapshots in few round trips', async () => {
  const snapshots = await vault.snapshots()
  const { keys, sinks } = vault
  const matches = () => true
  const found = await roundTrips(() => Array.fromAsync(findEntries({ sinks, keys, snapshots, matches })))
  expect(found).toBeLessThanOrEqual(12)
})

test('a directory is listed in few round trips', async () => {
  const snapshot = selectSnapshot(await vault.snapshots(), 'latest')
  const { keys, sinks } = vault
  const listed = await roundTrips(async () => {
    await using reader = await openSnapshot({ sinks, keys, snapshot })
    expect(await Array.fromAsync(reader.children(Buffer.from('tree')))).toHaveLength(FILES)
  })
  expect(listed).toBeLessThanOrEqual(15)
})

test('a host without its state learns what is stored in few round trips', async () => {
  const another = vault.anotherHost()
  try {
    const run = await roundTrips(() => another.run([new MemorySource('tree', { a: 'new' })]))
    expect(run).toBeLessThanOrEqual(24)
  } finally {
    another[Symbol.dispose]()
  }
})

test('what was stored is verified in few round trips', async () => {
  expect(await roundTrips(() => vault.verify())).toBeLessThanOrEqual(30)
})

test('a run that finds nothing changed takes few round trips', async () => {
  const source = new MemorySource('tree', { a: 'the same' })
  await vault.run([source])
  expect(await roundTrips(() => vault.run([source]))).toBeLessThanOrEqual(11)
})

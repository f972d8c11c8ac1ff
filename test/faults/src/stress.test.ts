import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { fastDirectory, runEpisode } from './stress.ts'
import { checkRestore, checkVerified } from './stress-checks.ts'
import { backUp, verifyAll } from './stress-operations.ts'
import { StressWorld } from './stress-world.ts'

const STEPS = 60

/** What went wrong, and how it came to it. */
async function flawsOf(seed: number): Promise<readonly string[]> {
  const { violations, log } = await runEpisode(seed, STEPS)
  return violations.length === 0 ? [] : [`seed ${seed}`, ...log, ...violations]
}

test('what is intact on any sink outlasts all that goes wrong, and in the end everything comes right', async () => {
  expect(await flawsOf(108)).toEqual([])
})

test('so it does whatever goes wrong, and in whichever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      expect(await flawsOf(seed)).toEqual([])
    }),
    { numRuns: 2, endOnFailure: true },
  )
})

/** A vault with one snapshot on three sinks. */
async function backedUp(): Promise<StressWorld> {
  const world = await StressWorld.create(1, fastDirectory())
  onTestFinished(() => world[Symbol.dispose]())
  const [host] = world.hosts
  if (host) await world.perform([backUp(world, host)], {})
  return world
}

test('the model is no yes-man: an operation that takes a pack from all sinks is caught', async () => {
  const world = await backedUp()
  const [host] = world.hosts
  if (!host) throw new Error('no host')
  const act = async (): Promise<void> => {
    for (const { objects } of world.stores)
      for (const key of objects.keys()) if (key.startsWith('packs/')) objects.delete(key)
  }
  await world.perform([{ what: 'a theft', host, act }], {})
  expect(world.violations).toEqual([expect.stringMatching(/was intact before a theft, and is not after it/)])
})

test('nor is it content with a verification that sees nothing, or with other bytes', async () => {
  const world = await backedUp()
  const [host] = world.hosts
  if (!host) throw new Error('no host')
  const [ended] = await world.perform([verifyAll(world, host, true)], {})
  if (!ended?.result) throw new Error('no verification')
  checkVerified(world, host, ended.result)
  await checkRestore(world, world.stores)
  expect(world.violations).toEqual([])
  for (const name of world.expected.keys()) world.expected.set(name, { fingerprint: 'another', bytes: 0 })
  await checkRestore(world, world.stores)
  const [pack = ''] = [...world.store('b').objects.keys()].filter((key) => key.startsWith('packs/'))
  world.store('b').objects.delete(pack)
  checkVerified(world, host, ended.result)
  expect(world.violations).toEqual([
    expect.stringMatching(/restores from abc to other bytes/),
    expect.stringMatching(/all is well, and .* is not intact on b/),
  ])
})

import { checkRestore } from './stress-checks.ts'
import { pin, unreadMarks } from './stress-marks.ts'
import { backUp, healAll, pruneAll, verifyAll } from './stress-operations.ts'
import type { Operation, StressWorld } from './stress-world.ts'

const DAY_MS = 24 * 3_600_000

/** All sinks are back, and a person does what the program asks for; in the end every sink must have everything. */
export async function settle(world: StressWorld): Promise<void> {
  const [host] = world.hosts
  if (!host) return
  world.log.push('all are back')
  world.away.clear()
  world.skewsMs.clear()
  for (const one of world.hosts) one.skewMs = 0
  // What was killed counts for nothing then.
  world.passTime(10 * DAY_MS)
  replaceDeadSinks(world)
  const perform = async <T>(operation: Operation<T>): Promise<T | undefined> => {
    const [ended] = await world.perform([operation], {})
    world.passTime(2 * DAY_MS)
    return ended?.result
  }
  for (const isLast of [false, true]) {
    await perform(verifyAll(world, host, true))
    await perform(healAll(world, host))
    removeByHand(world)
    // What a mark said that opens nowhere, a person says again.
    for (const key of unreadMarks(world)) await perform(pin(world, host, key, false))
    for (const one of world.hosts) await perform(backUp(world, one))
    await perform(pruneAll(world, host, true))
    const healed = await perform(healAll(world, host))
    const verified = await perform(verifyAll(world, host, true))
    if (!isLast) continue
    if (healed?.exitCode !== 0) world.violate(`not level in the end: ${JSON.stringify(healed)}`)
    if (verified?.exitCode !== 0)
      world.violate(
        `not all well in the end: ${JSON.stringify(verified?.sinks.filter(({ state }) => state !== 'ok'))}`,
      )
  }
  for (const store of world.stores) {
    for (const key of world.oracle.intactOn(world.stores))
      if (!world.oracle.isIntact([store], key))
        world.violate(`${key} is not intact on ${store.name} in the end`)
    await checkRestore(world, [store])
  }
}

/** One that does not say whose it is, and shows no snapshot: a person empties it. */
function replaceDeadSinks(world: StressWorld): void {
  for (const store of world.stores)
    if (!world.isHeaded(store) && world.oracle.shownBy([store]).size === 0) store.objects.clear()
}

/** What opens nowhere, or needs what is gone, a person deletes, as the program says. */
function removeByHand({ oracle, stores, tally }: StressWorld): void {
  for (const { objects } of stores)
    for (const key of objects.keys())
      if (key.startsWith('snapshots/') && !oracle.isIntact(stores, key)) {
        objects.delete(key)
        tally.steps.add('delete by hand')
      }
}

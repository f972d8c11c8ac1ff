import type { Sink } from '@pipe-backup/sink'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { listSnapshots, type SnapshotInfo, type VerifyReport } from '@pipe-backup/vault'
import { contentOf } from './forge.ts'
import { restored } from './restored.ts'
import { keys } from './small-vault.ts'
import type { StressHost } from './stress-host.ts'
import type { Head } from './stress-oracle.ts'
import type { StressWorld } from './stress-world.ts'

/** Restores snapshots from these sinks, and compares: what is intact there must come back, and nothing wrong may. @param limit - how many, the last ones */
export async function checkRestore(
  world: StressWorld,
  stores: readonly MemorySink[],
  { sinks = stores, limit = Number.POSITIVE_INFINITY }: { sinks?: readonly Sink[]; limit?: number } = {},
): Promise<void> {
  const { oracle } = world
  const from = stores.map(({ name }) => name).join('')
  const intact = oracle.intactOn(stores)
  const listed = await listSnapshots({ sinks, keys }).catch((error: unknown) => {
    if (intact.size > 0) world.violate(`${from} can't be listed: ${String(error)}`)
    return []
  })
  for (const key of intact)
    if (!listed.some((one) => one.key === key)) world.violate(`${key} is intact on ${from}, and not listed`)
  for (const snapshot of sample(world, listed, limit)) {
    const { key, hostId, time } = snapshot
    const expected = world.expected.get(`${hostId} ${time.toISOString()}`)
    if (!expected) world.violate(`${from} shows ${key}, which never was`)
    const found = await restored(sinks, keys, snapshot).catch((error: unknown) => error)
    if (found === expected?.fingerprint) {
      world.tally.restored++
      world.tally.bytesCompared += expected?.bytes ?? 0
    } else if (typeof found === 'string') world.violate(`${key} restores from ${from} to other bytes`)
    else if (intact.has(key)) world.violate(`${key} is intact on ${from}, and not restored: ${String(found)}`)
    else if (!(found instanceof Error) || !['VaultError', 'SinkError'].includes(found.name))
      world.violate(`restore of ${key} throws ${found instanceof Error ? found.stack : String(found)}`)
  }
}

function sample(
  { random }: StressWorld,
  all: readonly SnapshotInfo[],
  limit: number,
): readonly SnapshotInfo[] {
  if (all.length <= limit) return all
  const from = Math.floor(random() * (all.length - limit + 1))
  return all.slice(from, from + limit)
}

/** What a verification has to see: each sink must have all that any shows, unless a prune has removed it. */
export function checkVerified(world: StressWorld, host: StressHost, report: VerifyReport): void {
  if (report.exitCode !== 0) return
  const { oracle, stores } = world
  const removed = oracle.removedOn(stores)
  for (const store of stores)
    for (const [key, head] of oracle.shownBy(stores)) {
      if (removed.has(head.id) || oracle.isIntact([store], key)) continue
      if (!isMaybeRunning(world, head))
        world.violate(`verify says that all is well, and ${key} is not intact on ${store.name}`)
    }
  for (const [name, key] of host.newest)
    if (!removed.has(key.slice(-16)) && !world.store(name).objects.has(key))
      world.violate(
        `verify says that all is well, and ${name} has lost ${key}, which ${host.name} had stored`,
      )
}

/** Whether the run that made a snapshot has left its session behind: it is taken for one that goes on, for two hours. */
function isMaybeRunning({ stores }: StressWorld, { time, hostId }: Head): boolean {
  return stores.some(({ objects }) =>
    [...objects].some(([key, { bytes }]) => {
      if (!key.startsWith('sessions/')) return false
      try {
        const session = JSON.parse(contentOf(keys, key, Buffer.from(bytes)).toString()) as Record<
          string,
          unknown
        >
        return session['started'] === time && session['hostId'] === hostId
      } catch {
        return false
      }
    }),
  )
}

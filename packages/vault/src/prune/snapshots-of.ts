import type { MarkBook } from '../store/mark-book.ts'
import type { Replica } from '../store/replica.ts'
import { type SnapshotInfo, toSnapshotInfo } from '../store/snapshots.ts'

/**
 * The snapshots that sinks show, oldest first.
 * @param replicas - those that can be pruned @param listed - all that could be listed @param marks - what they say together
 */
export function snapshotsOf(
  replicas: readonly Replica[],
  listed: readonly Replica[],
  marks: MarkBook,
): SnapshotInfo[] {
  const shown = new Map<string, SnapshotInfo>()
  for (const { heads } of replicas) {
    for (const [key, head] of heads) {
      if (shown.has(key)) continue
      const holders = replicas.filter((replica) => replica.heads.has(key))
      // Also by the clock of one that can't be pruned: it may be the only one that has it whole.
      const times = listed.flatMap(({ listing }) => listing.snapshots.get(key)?.storedAt.getTime() ?? [])
      const storedAt = new Date(Math.min(...times))
      const sinks = holders.map(({ sink }) => sink)
      shown.set(key, { ...toSnapshotInfo(key, head, storedAt, sinks), marks: marks.of(key) })
    }
  }
  return [...shown.values()].sort((a, b) => a.time.getTime() - b.time.getTime() || (a.key < b.key ? -1 : 1))
}

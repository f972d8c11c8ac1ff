import { markedSnapshotOf, markIdOf } from '../format/mark-object.ts'
import { shownMarks, shownSnapshots } from '../store/listing.ts'
import type { Replica } from '../store/replica.ts'
import { joinedMarks } from '../store/replicas.ts'
import { sinkTime } from '../store/sink-time.ts'

export interface SpentMarksOptions {
  readonly replica: Replica
  /** All the sinks that could be listed. */
  readonly listed: readonly Replica[]
  /** Whether these are all that there are: else another may have the snapshot. */
  readonly isSureOfAll: boolean
  readonly ownSession: string
  /** A run stores a mark before its snapshot: one that is younger than this, in milliseconds, is left. */
  readonly graceMs: number
}

/**
 * Marks that say nothing any more on a sink: those in whose place another stands on this very sink, and those of a snapshot that no sink shows.
 * @returns keys
 */
export function spentMarks(options: SpentMarksOptions): readonly string[] {
  const { replica, listed, isSureOfAll, ownSession, graceMs } = options
  const { listing } = replica
  const shown = shownMarks(listing)
  if (shown.length === 0) return []
  const nowMs = sinkTime(replica, ownSession)
  const replaced = new Set(joinedMarks([replica]).replaced())
  const snapshots = new Set(listed.flatMap((one) => shownSnapshots(one.listing)))
  const isOld = (key: string): boolean => nowMs - (listing.marks.get(key)?.storedAt.getTime() ?? 0) >= graceMs
  const isOrphan = (key: string): boolean =>
    isSureOfAll && markIdOf(key) !== undefined && !snapshots.has(markedSnapshotOf(key) ?? '') && isOld(key)
  return shown.filter((key) => replaced.has(key) || isOrphan(key))
}

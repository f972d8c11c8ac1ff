import type { ObjectKeys } from '@pipe-backup/crypto'
import { markedSnapshotOf, markIdOf, openMark } from '../format/mark-object.ts'
import type { Replica } from '../store/replica.ts'
import { joinedMarks } from '../store/replicas.ts'
import { bringObject } from './bring-object.ts'
import type { ReconcileResult } from './reconcile-result.ts'

/** Brings a sink the marks of the snapshots that it shows, but for those that another stands in the place of. @throws SinkError; the abort's reason */
export async function bringMarks(
  result: ReconcileResult,
  replicas: readonly Replica[],
  keys: ObjectKeys,
): Promise<void> {
  const { replica } = result
  const marks = joinedMarks(replicas)
  for (const snapshot of replica.listing.snapshots.keys())
    for (const key of marks.intact(snapshot))
      await bringObject(result, replicas, key, (object) => openMark(keys, key, object))
}

/** Whether it is a damaged mark that nobody wrote who might, or in whose place another stands. @throws as `Replica.read` */
export async function isUselessMark(
  replica: Replica,
  replicas: readonly Replica[],
  key: string,
): Promise<boolean> {
  const snapshot = markedSnapshotOf(key)
  if (snapshot === undefined || replica.has(key)) return false
  if (!replica.damaged.has(key))
    await replica.read(key, (object) => openMark(replica.context.keys, key, object))
  if (replica.isDisowned(key)) return true
  const counting = new Set(
    joinedMarks(replicas)
      .counting(snapshot)
      .map((mark) => markIdOf(mark.key)),
  )
  return !counting.has(markIdOf(key))
}

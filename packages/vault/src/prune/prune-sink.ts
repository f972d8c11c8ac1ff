import { packKey } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { newTrashKey, sealTrash, type Trash } from '../format/trash-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { type StoredObject, shownSnapshots } from '../store/listing.ts'
import { listObjects } from '../store/read-sink.ts'
import type { Replica } from '../store/replica.ts'
import { SESSION_STALE_MS, sessionIdOf } from '../store/session.ts'
import { sinkTime } from '../store/sink-time.ts'

/** Trash objects that are left because of the snapshots that they name alone. */
const MAX_REMINDERS = 8

export interface PruneSinkOptions {
  readonly replica: Replica
  readonly host: VaultHost
  /** Packs that are needed by snapshots that stay. */
  readonly needed: ReadonlySet<string>
  /** Packs that are needed by what this sink shows, also by snapshots that it would not let go. */
  readonly shown: ReadonlySet<string>
  /** Ids of snapshots that go. */
  readonly gone: ReadonlySet<string>
  /** Ids of removed snapshots that some sink may still show: none of them is to be brought back. */
  readonly remembered: ReadonlySet<string>
  /** Keys of marks that say nothing any more. */
  readonly spentMarks: readonly string[]
  readonly ownSession: string
  readonly graceMs: number
  /** Called with each object that the sink refused to delete. */
  readonly onRefused: (key: string, error: Error) => void
}

export interface PruneSinkResult {
  snapshotsRemoved: number
  packsDeleted: number
  bytesFreed: number
  packsCondemned: number
  bytesCondemned: number
  refused: number
}

/** What a prune of one sink is going to do. */
export interface PrunePlan {
  /** Trash objects of earlier prunes whose packs go now. */
  readonly due: readonly string[]
  /** Packs that were condemned long enough ago, and that still nothing needs. */
  readonly pendingDeletion: readonly string[]
  /** Packs that nothing needs from now on. */
  readonly condemned: readonly string[]
  /** Keys of the snapshots that go. */
  readonly snapshots: readonly string[]
  /** What earlier prunes were killed over: it is condemned again. And what healings said of packs that are gone. */
  readonly drafts: readonly string[]
}

/** Sessions that have not been written again for so long that whoever held them is dead. */
function staleSessions(replica: Replica, ownSession: string): string[] {
  const nowMs = sinkTime(replica, ownSession)
  return (
    [...replica.listing.sessions]
      // One of the future is none either: no sink stores what will be.
      .filter(([, { storedAt }]) => Math.abs(nowMs - storedAt.getTime()) > SESSION_STALE_MS)
      .map(([id]) => id)
  )
}

export function planPrune(options: PruneSinkOptions): PrunePlan {
  const { replica, needed, shown, gone, graceMs, ownSession } = options
  const { listing } = replica
  const nowMs = sinkTime(replica, ownSession)
  const stale = new Set(staleSessions(replica, ownSession))
  const isOver = (session: string) => !listing.sessions.has(session) || stale.has(session)
  const isDue = ({ sessions, storedAt }: Trash & StoredObject) =>
    sessions !== undefined && nowMs - storedAt.getTime() >= graceMs && sessions.every(isOver)
  const due: string[] = []
  const drafts: string[] = []
  const pending = new Set<string>()
  const pendingDeletion = new Set<string>()
  for (const [key, trash] of listing.trash) {
    // What a healing says holds as long as they are there.
    if (trash.damaged?.some((name) => listing.shows(packKey(name)))) continue
    if (trash.sessions === undefined) drafts.push(key)
    else if (!isDue(trash)) for (const name of trash.packs) pending.add(name)
    else {
      due.push(key)
      for (const name of trash.packs) if (shown.has(name) && !needed.has(name)) pending.add(name)
      for (const name of trash.packs)
        if (listing.packs.has(name) && !needed.has(name) && !shown.has(name)) pendingDeletion.add(name)
    }
  }
  const condemned = [...listing.packs.keys()].filter(
    (name) => !needed.has(name) && !pending.has(name) && !pendingDeletion.has(name),
  )
  const snapshots = shownSnapshots(listing).filter((key) => gone.has(snapshotIdOf(key) ?? ''))
  return { due, pendingDeletion: [...pendingDeletion], condemned, snapshots, drafts }
}

/**
 * Prunes one sink. Killed at any point, it leaves nothing half: packs are condemned before the snapshots that needed them go, and
 * deleted by a later prune, when the sessions that did not know it have ended.
 * @throws SinkError; the abort's reason
 */
export async function pruneSink(options: PruneSinkOptions): Promise<PruneSinkResult> {
  const plan = planPrune(options)
  const { replica, ownSession } = options
  const { listing } = replica
  const result: PruneSinkResult = {
    snapshotsRemoved: 0,
    packsDeleted: 0,
    bytesFreed: 0,
    packsCondemned: 0,
    bytesCondemned: 0,
    refused: 0,
  }
  const bytesOf = (name: string): number => listing.packs.get(name)?.sizeBytes ?? 0
  const remove = async (keys: readonly string[]): Promise<Set<string>> => {
    const failed = await replica.remove(keys)
    for (const [key, error] of failed) {
      if (error.code !== 'forbidden') throw error
      result.refused++
      options.onRefused(key, error)
    }
    return new Set(failed.keys())
  }

  // First: one that lives after all sees that it was taken for dead, before anything that it rests on goes.
  await remove(staleSessions(replica, ownSession).map((id) => `sessions/${id}`))
  const sizes = plan.pendingDeletion.map((name) => [packKey(name), bytesOf(name)] as const)
  const refused = await remove(sizes.map(([key]) => key))
  for (const [key, sizeBytes] of sizes) {
    if (refused.has(key)) continue
    result.packsDeleted++
    result.bytesFreed += sizeBytes
  }
  const { forgotten, merged } = spentTrash(options, plan, refused)
  const isNews =
    plan.condemned.length > 0 || plan.snapshots.some((key) => !listing.removed.has(snapshotIdOf(key) ?? ''))
  if (isNews || merged.length > 0) await condemn(options, plan.condemned)
  for (const name of plan.condemned) {
    result.packsCondemned++
    result.bytesCondemned += bytesOf(name)
  }
  const kept = await remove(plan.snapshots)
  result.snapshotsRemoved = plan.snapshots.filter((key) => !kept.has(key)).length
  await remove([...forgotten, ...merged, ...plan.drafts, ...options.spentMarks])
  return result
}

/**
 * Which of the due trash objects have done their work. One that names packs which the sink did not let go stays, to be tried again; one
 * that names snapshots which some sink may still show stays too, unless there are so many that they are put together, or it names packs, or
 * snapshots that stay: as long as it did, no healing would bring them here.
 */
function spentTrash(
  { replica, remembered, shown, needed, gone }: PruneSinkOptions,
  { due }: PrunePlan,
  refused: ReadonlySet<string>,
): { forgotten: string[]; merged: string[] } {
  const forgotten: string[] = []
  const reminders: string[] = []
  const outdated: string[] = []
  for (const key of due) {
    const { packs = [], snapshots = [] } = replica.listing.trash.get(key) ?? {}
    if (packs.some((name) => refused.has(packKey(name)) || (shown.has(name) && !needed.has(name)))) continue
    if (!snapshots.some((id) => remembered.has(id))) forgotten.push(key)
    else if (packs.length > 0 || snapshots.some((id) => !gone.has(id))) outdated.push(key)
    else reminders.push(key)
  }
  return { forgotten, merged: [...outdated, ...(reminders.length > MAX_REMINDERS ? reminders : [])] }
}

/**
 * Says which packs are condemned, and which sessions may not know it: first the packs, then, when that can be read by everyone who
 * begins, the sessions that had begun.
 */
async function condemn(
  { replica, host, remembered, ownSession }: PruneSinkOptions,
  packs: readonly string[],
): Promise<void> {
  const { sink, context } = replica
  const { now, signal } = context
  const write = async (sessions: readonly string[] | undefined): Promise<string> => {
    const time = now()
    const key = newTrashKey(time)
    const trash = { packs, snapshots: [...remembered].sort(), sessions }
    await replica.put(key, sealTrash(host, key, time, trash))
    return key
  }
  const draft = await write(undefined)
  const sessions: string[] = []
  for await (const { key } of listObjects(sink, 'sessions/', signal)) {
    const id = sessionIdOf(key)
    if (id !== undefined && id !== ownSession) sessions.push(id)
  }
  await write(sessions)
  await replica.remove([draft])
}

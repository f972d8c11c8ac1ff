import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { packKey } from '../format/pack-format.ts'
import { DamageBook } from '../store/damage-book.ts'
import { type Listing, type StoredObject, shownSnapshots, storedObjects } from '../store/listing.ts'
import { Replica } from '../store/replica.ts'
import { openReplicas, removedSnapshots } from '../store/replicas.ts'
import { SESSION_STALE_MS, type SessionRecord } from '../store/session.ts'
import { listSnapshots, type SnapshotInfo } from '../store/snapshots.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** So far back `growth` goes. */
const GROWTH_DAYS = 90

/** How a sink stands beside the others, as far as listings show it: nothing but the snapshots' heads is read. */
export interface SinkStatus {
  readonly name: string
  /** `behind`: it lacks snapshots that others show; `damaged`: objects are missing, or known to be corrupt; `failed`: see `error`. */
  readonly state: 'ok' | 'behind' | 'damaged' | 'failed'
  readonly snapshots: number
  /** The newest that it shows. */
  readonly latest?: Date | undefined
  /** Snapshots that others show, and it does not. */
  readonly behind: number
  /** Objects that its snapshots need and that it does not show, or that a verification has found damaged. */
  readonly damaged: number
  readonly objects: number
  readonly bytes: number
  /** Of these bytes, those that go when a prune's grace time has passed. */
  readonly bytesCondemned: number
  /** Of these bytes, those that it stored in the last day, 7 days and 30 days, by its own clock. */
  readonly bytesNew: { readonly day: number; readonly week: number; readonly month: number }
  /**
   * Of these bytes, those that it had at a time, by its own clock: a point for each of the last 90 days, oldest first. What was deleted since is in none,
   * and what a compaction moved counts from then on.
   */
  readonly growth: readonly { readonly time: Date; readonly bytes: number }[]
  readonly error?: string | undefined
  /** What to do about the error. */
  readonly hint?: string | undefined
}

/** Work on the vault that goes on, or was killed. */
export interface SessionStatus extends SessionRecord {
  readonly sinks: readonly string[]
  /** It has given no sign of life for a day: prune waits for it no longer. */
  readonly isStale: boolean
}

export interface VaultStatus {
  /** On all the sinks together, oldest first. */
  readonly snapshots: readonly SnapshotInfo[]
  readonly sinks: readonly SinkStatus[]
  readonly sessions: readonly SessionStatus[]
}

export interface VaultStatusOptions {
  readonly vaultId: string
  readonly keys: ObjectKeys
  readonly sinks: readonly Sink[]
  /** Where this host keeps what verifications have found. */
  readonly stateDirectory?: string | undefined
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each snapshot that does not open on a sink. */
  readonly onProblem?: ((error: Error) => void) | undefined
}

/** How a vault and each of its sinks stand. Needs no phrase. @throws the abort's reason */
export async function vaultStatus(options: VaultStatusOptions): Promise<VaultStatus> {
  const { sinks, vaultId, keys, stateDirectory, signal, onProblem, now: clock = () => new Date() } = options
  const now = clock()
  const book = stateDirectory === undefined ? undefined : await DamageBook.open(stateDirectory)
  const context = { vaultId, keys, stateDirectory, now: clock, signal }
  const all = sinks.map((sink) => new Replica(sink, context))
  await openReplicas(all)
  const replicas = all.filter(({ error }) => !error)
  const answering = replicas.map(({ sink }) => sink)
  const snapshots =
    answering.length === 0 ? [] : await listSnapshots({ sinks: answering, keys, signal, onProblem })
  const removed = removedSnapshots(replicas)
  // One that opens nowhere is the affair of the sink that shows it.
  const wanted = snapshots.filter(({ id }) => !removed.has(id)).map(({ key }) => key)
  const sizes = new Map(replicas.map((replica) => [replica, sizesOf(replica.listing, now)]))
  await Promise.all(replicas.map((replica) => findDamage(replica, snapshots, options)))
  return {
    snapshots,
    sinks: all.map((replica): SinkStatus => {
      const { name, error } = replica
      if (error) return { ...NOTHING, name, state: 'failed', ...toFailure(error) }
      const { snapshots: shown, badTrash, truncated } = replica.listing
      const damaged = new Set([
        ...badTrash.keys(),
        ...truncated,
        ...(book?.of(name).keys() ?? []),
        ...replica.damaged.keys(),
      ])
      const behind = wanted.filter((key) => !shown.has(key) && !replica.damaged.has(key)).length
      return {
        name,
        state: damaged.size > 0 ? 'damaged' : behind > 0 ? 'behind' : 'ok',
        snapshots: shownSnapshots(replica.listing).length,
        latest: snapshots.findLast((snapshot) => shown.has(snapshot.key))?.time,
        behind,
        damaged: damaged.size,
        ...(sizes.get(replica) ?? NO_SIZES),
      }
    }),
    sessions: await readSessions(replicas, now),
  }
}

const NO_SIZES: Sizes = {
  objects: 0,
  bytes: 0,
  bytesCondemned: 0,
  bytesNew: { day: 0, week: 0, month: 0 },
  growth: [],
}
const NOTHING = { snapshots: 0, behind: 0, damaged: 0, ...NO_SIZES }

/** Finds what a sink shows damaged, or lacks of what its snapshots need. */
async function findDamage(
  replica: Replica,
  snapshots: readonly SnapshotInfo[],
  { onProblem }: VaultStatusOptions,
): Promise<void> {
  const opened = new Map(snapshots.map(({ key, head }) => [key, head]))
  const isShort = (key: string) =>
    opened.get(key)?.packs.some(([name]) => !replica.has(packKey(name))) ?? true
  // Where a compaction did not come a sink has other packs for the same snapshot: what counts is what it says itself.
  try {
    await replica.readHeads([...replica.listing.snapshots.keys()].filter(isShort))
  } catch (error) {
    replica.context.signal?.throwIfAborted()
    onProblem?.(toError(error))
    return
  }
  for (const name of replica.neededPacks().keys()) {
    const key = packKey(name)
    if (!replica.has(key)) replica.found(key, 'missing', `${key} is missing`)
  }
}

type Sizes = Pick<SinkStatus, 'objects' | 'bytes' | 'bytesCondemned' | 'bytesNew' | 'growth'>

function sizesOf(listing: Listing, now: Date): Sizes {
  const all = storedObjects(listing)
  const total = (some: readonly StoredObject[]): number =>
    some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const newerThan = (days: number): number =>
    total(all.filter(({ storedAt }) => now.getTime() - storedAt.getTime() < days * DAY_MS))
  const condemned = [...listing.condemned].flatMap((name) => listing.packs.get(name) ?? [])
  return {
    objects: all.length,
    bytes: total(all),
    bytesCondemned: total(condemned),
    bytesNew: { day: newerThan(1), week: newerThan(7), month: newerThan(30) },
    growth: growthOf(all, now),
  }
}

/** The sizes of what was stored by the end of each day; days before the first object are left out. */
function growthOf(objects: readonly StoredObject[], now: Date): SinkStatus['growth'] {
  const storedOn = Array.from({ length: GROWTH_DAYS + 1 }, () => 0)
  for (const { sizeBytes, storedAt } of objects) {
    const days = Math.floor((now.getTime() - storedAt.getTime()) / DAY_MS)
    const day = Math.min(GROWTH_DAYS, Math.max(0, days))
    storedOn[day] = (storedOn[day] ?? 0) + sizeBytes
  }
  const points: { time: Date; bytes: number }[] = []
  let bytes = 0
  for (let day = GROWTH_DAYS; day >= 0; day--) {
    bytes += storedOn[day] ?? 0
    if (bytes > 0) points.push({ time: new Date(now.getTime() - day * DAY_MS), bytes })
  }
  return points
}

async function readSessions(replicas: readonly Replica[], now: Date): Promise<SessionStatus[]> {
  const found = new Map<string, SessionStatus>()
  for (const replica of replicas) {
    for (const [id, { storedAt, sizeBytes: _, ...record }] of await replica.readSessions()) {
      const sinks = [...(found.get(id)?.sinks ?? []), replica.name]
      const isStale = now.getTime() - storedAt.getTime() > SESSION_STALE_MS
      found.set(id, { ...record, sinks, isStale })
    }
  }
  return [...found.values()]
}

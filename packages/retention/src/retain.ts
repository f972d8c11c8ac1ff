import { isoWeek, type LocalTime, localTimeReader } from './local-time.ts'
import { checkPolicy, type Policy, type RetentionOptions } from './policy.ts'

export interface RetentionSnapshot {
  readonly id: string
  /** When it was taken, as the host says. */
  readonly time: Date
  /** When a sink first stored it, by the sink's clock. Without it the host is believed. */
  readonly storedAt?: Date | undefined
  /** Of the host's key, never its name: two machines may have one name, and one machine a new one each day. */
  readonly hostId: string
  /** What was backed up, and whether it went well. */
  readonly sources: readonly { readonly name: string; readonly state: 'ok' | 'incomplete' | 'failed' }[]
}

export interface Retention {
  /** Ids of the snapshots that stay, each with the rules that keep it: `hourly`, `daily`, `last good of wallet` … */
  readonly kept: ReadonlyMap<string, readonly string[]>
  /** Ids of the snapshots that go, oldest first. */
  readonly removed: readonly string[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A snapshot is stored when its run ends: the later a sink saw it, the less its time is believed. Each group is thinned out by itself. */
const LATEST_MS = [HOUR_MS, DAY_MS] as const
/** A host's clock may be ahead of the sink's by so much. */
const EARLIEST_MS = -HOUR_MS

/** A rule's share of time: snapshots with the same key are in the same one, and the newest of them is kept. */
const BUCKETS: Readonly<
  Record<'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly', (time: LocalTime) => string>
> = {
  hourly: ({ year, month, day, hour }) => `${year}-${month}-${day} ${hour}`,
  daily: ({ year, month, day }) => `${year}-${month}-${day}`,
  weekly: isoWeek,
  monthly: ({ year, month }) => `${year}-${month}`,
  yearly: ({ year }) => `${year}`,
}

/**
 * Decides which snapshots stay. Pure: the same answer for the same arguments, in whatever order the snapshots come.
 *
 * The rules are those of restic's `forget`, for each source of each host as if it were pruned by itself; a snapshot stays while one of its
 * sources is kept by it. Only complete readings of a source count for it, so that no partial or failed one pushes a good one out; what was
 * read in part counts while nothing complete is newer. Then:
 * - the newest complete reading of every source stays, by the clock of the host and by that of the sinks, and the newest that has anything of
 *   a source which never was complete;
 * - a snapshot whose time is not to be believed, because a sink saw it long after or before, is one more: it never takes the place of
 *   another;
 * - of each source the last of each of the last `floorDays` days stays, by the sinks' clocks.
 * @throws PolicyError; RangeError for an unknown time zone
 * @see https://restic.readthedocs.io/en/stable/060_forget.html
 */
export function retain(
  snapshots: readonly RetentionSnapshot[],
  policy: Policy,
  options: RetentionOptions = {},
): Retention {
  checkPolicy(policy)
  const local = localTimeReader(options.timeZone)
  const kept = new Map<string, Set<string>>()
  const keep = ({ id }: RetentionSnapshot, reason: string): void => {
    const reasons = kept.get(id)
    if (reasons) reasons.add(reason)
    else kept.set(id, new Set([reason]))
  }
  const newestFirst = snapshots.toSorted(compareNewestFirst)
  for (const ofHost of Map.groupBy(newestFirst, ({ hostId }) => hostId).values()) {
    for (const name of new Set(ofHost.flatMap(({ sources }) => sources.map((source) => source.name)))) {
      for (const readings of readingsOf(ofHost, name)) {
        for (const latestMs of LATEST_MS)
          applyRules(
            readings.filter((snapshot) => isBelievable(snapshot, latestMs)),
            policy,
            local,
            keep,
          )
        applyRules(readings, policy, local, keep)
        keepFloor(readings, options.floorDays ?? 0, local, keep)
      }
    }
    keepLastGood(ofHost, keep)
  }
  const removed = newestFirst.filter(({ id }) => !kept.has(id)).map(({ id }) => id)
  return {
    kept: new Map([...kept].map(([id, reasons]) => [id, [...reasons]])),
    removed: removed.toReversed(),
  }
}

/** The complete readings of a source, and those in part that nothing complete has replaced; each to be thinned out by themselves. */
function readingsOf(
  newestFirst: readonly RetentionSnapshot[],
  name: string,
): readonly (readonly RetentionSnapshot[])[] {
  const having = (state: 'ok' | 'incomplete') =>
    newestFirst.filter(({ sources }) =>
      sources.some((source) => source.name === name && source.state === state),
    )
  const complete = having('ok')
  const [newest] = complete
  const partial = having('incomplete')
  return [complete, newest ? partial.filter(({ time }) => time > newest.time) : partial]
}

type Keep = (snapshot: RetentionSnapshot, reason: string) => void

function applyRules(
  newestFirst: readonly RetentionSnapshot[],
  policy: Policy,
  local: (time: Date) => LocalTime,
  keep: Keep,
): void {
  const [newest] = newestFirst
  if (!newest) return
  for (const snapshot of newestFirst.slice(0, policy.last ?? 0)) keep(snapshot, 'last')
  const { within } = policy
  if (within !== undefined && within > 0) {
    const oldestMs = newest.time.getTime() - within
    for (const snapshot of newestFirst) if (snapshot.time.getTime() >= oldestMs) keep(snapshot, 'within')
  }
  for (const [rule, bucketOf] of Object.entries(BUCKETS)) {
    let left = policy[rule as keyof typeof BUCKETS] ?? 0
    let last: string | undefined
    for (const snapshot of newestFirst) {
      if (left === 0) break
      const bucket = bucketOf(local(snapshot.time))
      if (bucket === last) continue
      last = bucket
      left--
      keep(snapshot, rule)
    }
  }
}

/** By the host's clock, and by the sinks': when the host's was wrong for a while, the newest by it may be an old one. */
function keepLastGood(ofHost: readonly RetentionSnapshot[], keep: Keep): void {
  const names = new Set(ofHost.flatMap(({ sources }) => sources.map(({ name }) => name)))
  const stateOf = ({ sources }: RetentionSnapshot, wanted: string) =>
    sources.find(({ name }) => name === wanted)?.state
  const seenAtMs = ({ time, storedAt }: RetentionSnapshot) => (storedAt ?? time).getTime()
  for (const newestFirst of [ofHost, ofHost.toSorted((a, b) => seenAtMs(b) - seenAtMs(a))]) {
    for (const name of names) {
      const good = newestFirst.find((snapshot) => stateOf(snapshot, name) === 'ok')
      const some = good ?? newestFirst.find((snapshot) => stateOf(snapshot, name) === 'incomplete')
      if (some) keep(some, `last ${good ? 'good' : 'seen'} of ${name}`)
    }
  }
}

function keepFloor(
  snapshots: readonly RetentionSnapshot[],
  days: number,
  local: (time: Date) => LocalTime,
  keep: Keep,
): void {
  if (days === 0) return
  const seen = snapshots
    .map((snapshot) => ({ snapshot, atMs: (snapshot.storedAt ?? snapshot.time).getTime() }))
    .sort((a, b) => b.atMs - a.atMs)
  const oldestMs = (seen[0]?.atMs ?? 0) - days * DAY_MS
  let last: string | undefined
  for (const { snapshot, atMs } of seen) {
    if (atMs < oldestMs) return
    const day = BUCKETS.daily(local(new Date(atMs)))
    if (day !== last) keep(snapshot, 'floor')
    last = day
  }
}

function isBelievable({ time, storedAt }: RetentionSnapshot, latestMs: number): boolean {
  if (!storedAt) return true
  const lateMs = storedAt.getTime() - time.getTime()
  return lateMs >= EARLIEST_MS && lateMs <= latestMs
}

function compareNewestFirst(a: RetentionSnapshot, b: RetentionSnapshot): number {
  return b.time.getTime() - a.time.getTime() || (a.id < b.id ? 1 : -1)
}

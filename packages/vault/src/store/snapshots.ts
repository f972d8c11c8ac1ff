import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import {
  openSnapshotHead,
  type SnapshotHead,
  snapshotIdOf,
  snapshotTimeOf,
} from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import { mapAhead } from '../map-ahead.ts'
import { VaultError } from '../vault-error.ts'
import type { SnapshotMarks } from './mark-book.ts'
import { readMarks } from './read-marks.ts'
import { getObject, listObjects } from './read-sink.ts'
import { learnRevocations } from './revocations.ts'

export interface SnapshotInfo {
  /** 16 hex digits. */
  readonly id: string
  readonly key: string
  readonly time: Date
  readonly host: string
  readonly hostId: string
  readonly sources: readonly {
    readonly name: string
    readonly state: 'ok' | 'incomplete' | 'failed'
    readonly entries: number
    readonly bytes: number
    readonly problems: number
    /** When it was read, where that was for an earlier snapshot. */
    readonly takenAt?: string | undefined
    readonly error?: string | undefined
  }[]
  /** When the first of the sinks that hold it stored it, by that sink's own clock: a host can't choose it. */
  readonly storedAt: Date
  /** The sinks that hold it. */
  readonly sinks: readonly string[]
  readonly head: SnapshotHead
  /** Its pins and tags, where they were asked for. */
  readonly marks?: SnapshotMarks | undefined
}

export interface ListSnapshotsOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  /** Whether to read their marks too, which costs each sink a request. Default false. */
  readonly withMarks?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each sink that does not answer, and of each snapshot that does not open on a sink. */
  readonly onProblem?: ((error: Error) => void) | undefined
  /** Called with each snapshot that opens on no sink that shows it; its time is that of its key. */
  readonly onUnreadable?: ((snapshot: UnreadableSnapshot) => void) | undefined
}

export interface UnreadableSnapshot {
  readonly key: string
  readonly time: Date
}

const HEADS_AT_ONCE = 8
/** So far the clocks of two machines may be apart. */
const CLOCK_SKEW_MS = 3_600_000

/**
 * All the snapshots on these sinks, oldest first: one whose time has not come yet, from a host whose clock was wrong, is where the sinks'
 * clocks say, so that it is not the latest until then. Needs no phrase.
 * @throws the first sink's error when no sink answers
 */
export async function listSnapshots(options: ListSnapshotsOptions): Promise<readonly SnapshotInfo[]> {
  const { sinks, signal, onProblem } = options
  const holders = new Map<string, Set<Sink>>()
  const storedAts = new Map<string, Date>()
  const listings = await Promise.allSettled(
    sinks.map(async (sink) => {
      const learnt = learnRevocations(sink, options.keys, signal)
      learnt.catch(() => undefined)
      for await (const { key, storedAt } of listObjects(sink, 'snapshots/', signal)) {
        if (snapshotIdOf(key) === undefined) continue
        const earliest = storedAts.get(key)
        if (!earliest || storedAt < earliest) storedAts.set(key, storedAt)
        const known = holders.get(key)
        if (known) known.add(sink)
        else holders.set(key, new Set([sink]))
      }
      await learnt
    }),
  )
  const errors = listings.flatMap((result) => (result.status === 'rejected' ? [toError(result.reason)] : []))
  signal?.throwIfAborted()
  if (errors.length === sinks.length && errors[0]) throw errors[0]
  for (const error of errors) onProblem?.(error)

  const keys = [...holders.keys()].sort()
  const found: SnapshotInfo[] = []
  const read = (key: string): Promise<SnapshotInfo | undefined> => {
    const held = holders.get(key)
    // In the caller's order of preference, not in that of their answers.
    const preferred = sinks.filter((sink) => held?.has(sink))
    return readHead(key, preferred, storedAts.get(key) ?? new Date(Number.NaN), options)
  }
  for await (const info of mapAhead(keys, read, { atOnce: HEADS_AT_ONCE })) if (info) found.push(info)
  const marked = options.withMarks ? await addMarks(found, options) : found
  const soonMs = Date.now() + CLOCK_SKEW_MS
  const madeAtMs = ({ time, storedAt }: SnapshotInfo) =>
    time.getTime() > soonMs && storedAt < time ? storedAt.getTime() : time.getTime()
  return marked.sort((a, b) => madeAtMs(a) - madeAtMs(b) || (a.key < b.key ? -1 : 1))
}

/** @throws the abort's reason */
async function addMarks(
  found: readonly SnapshotInfo[],
  options: ListSnapshotsOptions,
): Promise<SnapshotInfo[]> {
  const { sinks, keys, signal, onProblem } = options
  const book = await readMarks({
    sinks,
    keys,
    signal,
    onProblem: (sink, error) => onProblem?.(onSink(sink, error)),
  })
  return found.map((info) => ({ ...info, marks: book.of(info.key) }))
}

async function readHead(
  key: string,
  holders: readonly Sink[],
  storedAt: Date,
  options: ListSnapshotsOptions,
): Promise<SnapshotInfo | undefined> {
  const { keys, signal, onProblem, onUnreadable } = options
  let isGone = true
  for (const sink of holders) {
    try {
      const head = openSnapshotHead(keys, key, await getObject(sink, key, signal))
      return toSnapshotInfo(key, head, storedAt, holders)
    } catch (error) {
      signal?.throwIfAborted()
      // A prune may have removed it since it was listed.
      isGone &&= hasCode(error, 'not-found')
      onProblem?.(onSink(sink, error))
    }
  }
  const time = snapshotTimeOf(key)
  if (!isGone && time) onUnreadable?.({ key, time })
  return undefined
}

/** @param holders - the sinks that hold it */
export function toSnapshotInfo(
  key: string,
  head: SnapshotHead,
  storedAt: Date,
  holders: readonly Sink[],
): SnapshotInfo {
  const { id, host, hostId, sources, firstStored } = head
  const sinks = holders.map(({ name }) => name)
  const first = firstStored === undefined ? storedAt : new Date(firstStored)
  const seen = first < storedAt ? first : storedAt
  return { id, key, time: new Date(head.time), host, hostId, sources, storedAt: seen, sinks, head }
}

/** A sink's own error names it already. */
function onSink(sink: Sink, reason: unknown): Error {
  if (!(reason instanceof VaultError)) return toError(reason)
  const { code, message, key, hint } = reason
  return new VaultError(code, `sink "${sink.name}": ${message}`, {
    sink: sink.name,
    ...(key && { key }),
    ...(hint && { hint }),
    cause: reason,
  })
}

/** The time that a person writes, in milliseconds; NaN where it is none. A date alone means its last moment, where Date.parse takes the first, in UTC. */
export function timeOfSpec(spec: string): number {
  return Date.parse(spec.length === 10 ? `${spec}T23:59:59.999` : spec)
}

/**
 * Chooses a snapshot: an id or a unique prefix of it, `latest`, `latest~2`, or a time (`2026-11-23T10:00`, local unless it says
 * otherwise): the last one not after it.
 * @param snapshots - oldest first
 * @throws VaultError `not-found`, `ambiguous`
 */
export function selectSnapshot(snapshots: readonly SnapshotInfo[], spec: string): SnapshotInfo {
  const hint = '`pipe-backup snapshots` lists them.'
  if (snapshots.length === 0)
    throw new VaultError('not-found', 'the vault holds no snapshot yet', {
      hint: 'Make one with `pipe-backup run`.',
    })
  const latest = /^latest(?:~(\d+))?$/.exec(spec)
  if (latest) {
    const back = Number(latest[1] ?? 0)
    const chosen = snapshots.at(-1 - back)
    if (!chosen)
      throw new VaultError('not-found', `there is no snapshot ${spec}: there are ${snapshots.length}`, {
        hint,
      })
    return chosen
  }
  if (/^\d{4}-\d{2}-\d{2}/.test(spec)) {
    const time = timeOfSpec(spec)
    if (Number.isNaN(time))
      throw new VaultError('not-found', `"${spec}" is not a time`, { hint: 'Write it as 2026-11-23T10:00.' })
    const chosen = snapshots.findLast((snapshot) => snapshot.time.getTime() <= time)
    if (!chosen) throw new VaultError('not-found', `there is no snapshot as old as ${spec}`, { hint })
    return chosen
  }
  const matches = /^[0-9a-f]{1,16}$/.test(spec) ? snapshots.filter(({ id }) => id.startsWith(spec)) : []
  if (matches.length > 1) {
    throw new VaultError(
      'ambiguous',
      `"${spec}" fits ${matches.length} snapshots: ${matches.map(({ id }) => id).join(', ')}`,
      { hint: 'Give more digits.' },
    )
  }
  if (!matches[0]) throw new VaultError('not-found', `there is no snapshot "${spec}"`, { hint })
  return matches[0]
}

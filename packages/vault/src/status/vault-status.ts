import { type Sink, toError } from '@pipe-backup/sink'
import { packKey } from '../format/pack-format.ts'
import type { SnapshotHead } from '../format/snapshot-object.ts'
import { DamageBook } from '../store/damage-book.ts'
import { readHeads } from '../store/read-heads.ts'
import { getObject } from '../store/read-sink.ts'
import { openSession, SESSION_STALE_MS, type SessionRecord } from '../store/session.ts'
import { type SinkView, type StoredObject, viewSink } from '../store/sink-view.ts'
import { listSnapshots, type SnapshotInfo } from '../store/snapshots.ts'
import { requireVault } from '../store/vault-header.ts'

const DAY_MS = 24 * 60 * 60 * 1000

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
  readonly indexKey: Uint8Array
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
  const { sinks, indexKey, signal, onProblem } = options
  const now = options.now?.() ?? new Date()
  const book =
    options.stateDirectory === undefined ? undefined : await DamageBook.open(options.stateDirectory)
  const looks = await Promise.all(sinks.map((sink) => look(sink, options)))
  signal?.throwIfAborted()
  const views = looks.flatMap(({ view }) => (view ? [view] : []))
  const answering = views.map(({ sink }) => sink)
  const snapshots =
    answering.length === 0
      ? []
      : await listSnapshots({
          sinks: answering,
          keys: { indexKey },
          signal,
          onProblem,
        })
  const removed = new Set(views.flatMap((view) => [...view.removed]))
  // One that opens nowhere is the affair of the sink that shows it.
  const wanted = snapshots.filter(({ id }) => !removed.has(id)).map(({ key }) => key)
  const lacks = new Map(
    await Promise.all(views.map(async (view) => [view, await lackOf(view, snapshots, options)] as const)),
  )
  return {
    snapshots,
    sinks: looks.map(({ sink, view, badTrash, error }): SinkStatus => {
      if (!view) return { ...NOTHING, name: sink.name, state: 'failed', ...error }
      const damaged = new Set([
        ...badTrash,
        ...view.truncated,
        ...(book?.of(sink.name).keys() ?? []),
        ...(lacks.get(view) ?? []),
      ])
      const behind = wanted.filter((key) => !view.snapshots.has(key)).length
      const latest = snapshots.findLast((snapshot) => view.snapshots.has(snapshot.key))?.time
      return {
        name: sink.name,
        state: damaged.size > 0 ? 'damaged' : behind > 0 ? 'behind' : 'ok',
        snapshots: view.snapshots.size,
        ...(latest && { latest }),
        behind,
        damaged: damaged.size,
        ...sizesOf(view, now),
      }
    }),
    sessions: await readSessions(views, options, now),
  }
}

const NOTHING = {
  snapshots: 0,
  behind: 0,
  damaged: 0,
  objects: 0,
  bytes: 0,
  bytesCondemned: 0,
  bytesNew: { day: 0, week: 0, month: 0 },
} as const

interface Look {
  readonly sink: Sink
  /** Undefined when it could not be listed. */
  readonly view: SinkView | undefined
  readonly badTrash: readonly string[]
  readonly error?: { readonly error: string; readonly hint?: string | undefined } | undefined
}

async function look(sink: Sink, { vaultId, indexKey, signal }: VaultStatusOptions): Promise<Look> {
  const badTrash: string[] = []
  try {
    await requireVault(sink, vaultId, signal)
    const view = await viewSink(sink, {
      indexKey,
      signal,
      onBadTrash: (key) => badTrash.push(key),
    })
    return { sink, view, badTrash }
  } catch (reason) {
    const error = reason instanceof Error ? reason.message : String(reason)
    const hint = reason instanceof Error && 'hint' in reason ? reason.hint : undefined
    return {
      sink,
      view: undefined,
      badTrash,
      error: { error, ...(typeof hint === 'string' && { hint }) },
    }
  }
}

/** Keys of what a sink shows damaged, or lacks of what its snapshots need. */
async function lackOf(
  view: SinkView,
  snapshots: readonly SnapshotInfo[],
  { indexKey, signal, onProblem }: VaultStatusOptions,
): Promise<string[]> {
  const opened = new Map(snapshots.map(({ key, head }) => [key, head]))
  const isShort = (key: string) => opened.get(key)?.packs.some(([name]) => !view.packs.has(name)) ?? true
  const lack: string[] = []
  // Where a compaction did not come a sink has other packs for the same snapshot: what counts is what it says itself.
  const heads = await readHeads(view, [...view.snapshots.keys()].filter(isShort), {
    indexKey,
    signal,
    onBad: (key) => lack.push(key),
  }).catch((error: unknown) => {
    signal?.throwIfAborted()
    onProblem?.(toError(error))
    return new Map<string, SnapshotHead>()
  })
  for (const { packs } of heads.values())
    for (const [name] of packs) if (!view.packs.has(name)) lack.push(packKey(name))
  return lack
}

function sizesOf(
  { packs, indexes, grants, snapshots, trash, condemned }: SinkView,
  now: Date,
): Pick<SinkStatus, 'objects' | 'bytes' | 'bytesCondemned' | 'bytesNew'> {
  const all = [packs, indexes, grants, snapshots, trash].flatMap((some) => [...some.values()])
  const total = (some: readonly StoredObject[]): number =>
    some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const newerThan = (days: number): number =>
    total(all.filter(({ storedAt }) => now.getTime() - storedAt.getTime() < days * DAY_MS))
  return {
    objects: all.length,
    bytes: total(all),
    bytesCondemned: total([...packs].flatMap(([name, pack]) => (condemned.has(name) ? [pack] : []))),
    bytesNew: { day: newerThan(1), week: newerThan(7), month: newerThan(30) },
  }
}

async function readSessions(
  views: readonly SinkView[],
  { indexKey, signal }: VaultStatusOptions,
  now: Date,
): Promise<SessionStatus[]> {
  const found = new Map<string, SessionStatus>()
  for (const { sink, sessions } of views) {
    for (const [id, { storedAt }] of sessions) {
      const known = found.get(id)
      if (known) {
        found.set(id, { ...known, sinks: [...known.sinks, sink.name] })
        continue
      }
      const key = `sessions/${id}`
      // One that has just ended is gone.
      const object = await getObject(sink, key, signal).catch(() => undefined)
      const record = object && openSession(indexKey, key, object)
      if (!record) continue
      const isStale = now.getTime() - storedAt.getTime() > SESSION_STALE_MS
      found.set(id, { ...record, sinks: [sink.name], isStale })
    }
  }
  return [...found.values()]
}

import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { packKey } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { VaultSession } from '../store/session.ts'
import { type SnapshotInfo, toSnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'
import { compact } from './compact.ts'
import { mergeIndexes } from './merge-indexes.ts'
import { type PruneSinkOptions, planPrune, pruneSink } from './prune-sink.ts'
import { PruneSinks } from './prune-sinks.ts'
import type { PrunedSink, PruneReport } from './report.ts'
import { neededPacks, type PruneSink, totalBytes } from './sink-state.ts'

const GRACE_MS = 24 * 60 * 60 * 1000

export interface PruneOptions {
  readonly host: VaultHost
  readonly hostName: string
  /** All that are configured. */
  readonly sinks: readonly Sink[]
  /** Chooses the snapshots that go, by id. @param snapshots - oldest first */
  readonly choose: (snapshots: readonly SnapshotInfo[]) => ReadonlySet<string>
  /** How long a pack must have been of no use before it is deleted, in milliseconds. Default a day. */
  readonly graceMs?: number | undefined
  /** Changes nothing: the report is of what would be done. */
  readonly dryRun?: boolean | undefined
  /** Moves what is live out of packs that are mostly dead, and puts small ones together. */
  readonly compact?: boolean | undefined
  readonly stateDirectory: string
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  /** @param sink - undefined when it is no single sink's */
  readonly onProblem?: (sink: string | undefined, error: Error) => void
}

/**
 * Removes the snapshots that a policy does not keep, and, in two steps and without a lock, the packs that then nothing needs. Needs no
 * phrase. Sinks are pruned one after the other: the next only when the last still has all that its snapshots need.
 * @throws the abort's reason; VaultError `busy` while another host prunes, `fault` when `choose` would leave nothing;
 * the first sink's error when none can be used
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { host, hostName, now = () => new Date() } = options
  const record = { host: hostName, hostId: host.hostId, started: now().toISOString(), kind: 'prune' } as const
  await using session = new VaultSession({ indexKey: host.keys.indexKey, record })
  return await new Prune(options, session, now).perform()
}

class Prune {
  readonly #options: PruneOptions
  readonly #session: VaultSession
  readonly #now: () => Date
  readonly #failures = new Map<string, Error>()
  readonly #bytesBefore = new Map<string, number>()
  readonly #looking: PruneSinks
  #sinks: PruneSink[] = []
  /** Ids of snapshots that go. */
  #gone: ReadonlySet<string> = new Set()
  /** Ids of snapshots that went, and that some sink may still show. */
  #remembered: ReadonlySet<string> = new Set()

  constructor(options: PruneOptions, session: VaultSession, now: () => Date) {
    this.#options = options
    this.#session = session
    this.#now = now
    this.#looking = new PruneSinks(options, session)
  }

  async perform(): Promise<PruneReport> {
    const { dryRun = false, graceMs = GRACE_MS } = this.#options
    this.#sinks = await this.#looking.look(this.#failures)
    const { removed, kept } = this.#choose()
    for (const { view } of this.#sinks) this.#bytesBefore.set(view.sink.name, totalBytes(view))
    if (dryRun) {
      const sinks = this.#sinks.map((sink) => this.#preview(sink))
      return this.#report(removed, kept, sinks, { from: 0, into: 0, bytes: 0 })
    }
    const compacted = this.#options.compact ? await this.#compact() : { from: 0, into: 0, bytes: 0 }
    const pruned: PrunedSink[] = []
    for (const sink of this.#sinks) {
      const report = await this.#prune(sink, graceMs)
      if (report) pruned.push(report)
    }
    await this.#mergeIndexes()
    return this.#report(removed, kept, pruned, compacted)
  }

  #choose(): { removed: string[]; kept: number } {
    const { choose, sinks } = this.#options
    const tombstoned = new Set(this.#sinks.flatMap(({ view }) => [...view.removed]))
    const shown = new Map<string, SnapshotInfo>()
    for (const { heads } of this.#sinks) {
      for (const [key, head] of heads) {
        if (shown.has(key) || tombstoned.has(snapshotIdOf(key) ?? '')) continue
        const holders = this.#sinks.filter(({ view }) => view.snapshots.has(key))
        const times = holders.map(({ view }) => view.snapshots.get(key)?.storedAt.getTime() ?? Number.NaN)
        const storedAt = new Date(Math.min(...times))
        shown.set(
          key,
          toSnapshotInfo(
            key,
            head,
            storedAt,
            holders.map(({ view }) => view.sink),
          ),
        )
      }
    }
    const snapshots = [...shown.values()].sort(
      (a, b) => a.time.getTime() - b.time.getTime() || (a.key < b.key ? -1 : 1),
    )
    const chosen = choose(snapshots)
    const removed = snapshots.filter(({ id }) => chosen.has(id)).map(({ id }) => id)
    if (snapshots.length > 0 && removed.length === snapshots.length)
      throw new VaultError('fault', 'the policy keeps no snapshot at all: nothing was removed', {
        hint: 'Correct `keep` in the configuration.',
      })
    this.#gone = new Set([...removed, ...tombstoned])
    // When every sink that is configured shows none of them any more, nobody can bring them back.
    const isSureOfAll = this.#sinks.length === sinks.length
    const isShown = (id: string) =>
      this.#sinks.some(({ view }) => [...view.snapshots.keys()].some((key) => snapshotIdOf(key) === id))
    this.#remembered = new Set([...this.#gone].filter((id) => !isSureOfAll || isShown(id)))
    return { removed, kept: snapshots.length - removed.length }
  }

  #plan(sink: PruneSink, graceMs: number): PruneSinkOptions {
    const { host, signal } = this.#options
    return {
      view: sink.view,
      needed: neededPacks(sink, this.#sinks, this.#gone),
      shown: neededPacks(sink, [sink], new Set()),
      gone: this.#gone,
      remembered: this.#remembered,
      ownSession: this.#session.id,
      graceMs,
      indexKey: host.keys.indexKey,
      now: this.#now,
      signal,
      onRefused: (_, error) => this.#reportProblem(sink.view.sink.name, error),
    }
  }

  /** What a prune would do. */
  #preview(sink: PruneSink): PrunedSink {
    const plan = planPrune(this.#plan(sink, this.#options.graceMs ?? GRACE_MS))
    const { name } = sink.view.sink
    const bytesOf = (names: readonly string[]) =>
      names.reduce((sum, pack) => sum + (sink.view.packs.get(pack)?.sizeBytes ?? 0), 0)
    const before = this.#bytesBefore.get(name) ?? 0
    return {
      name,
      state: 'pruned',
      snapshotsRemoved: plan.snapshots.length,
      packsDeleted: plan.pendingDeletion.length,
      bytesFreed: bytesOf(plan.pendingDeletion),
      packsCondemned: plan.condemned.length,
      bytesCondemned: bytesOf(plan.condemned),
      refused: 0,
      bytesBefore: before,
      bytesAfter: before - bytesOf(plan.pendingDeletion),
    }
  }

  async #prune(sink: PruneSink, graceMs: number): Promise<PrunedSink | undefined> {
    const { name } = sink.view.sink
    const missingBefore = this.#missing(sink)
    try {
      const first = await pruneSink(this.#plan(sink, graceMs))
      await this.#lookAgain(sink)
      let second: typeof first | undefined
      if (graceMs === 0) {
        second = await pruneSink(this.#plan(sink, graceMs))
        await this.#lookAgain(sink)
      }
      this.#checkStillWhole(sink, missingBefore)
      return {
        name,
        state: 'pruned',
        snapshotsRemoved: first.snapshotsRemoved,
        packsDeleted: first.packsDeleted + (second?.packsDeleted ?? 0),
        bytesFreed: first.bytesFreed + (second?.bytesFreed ?? 0),
        packsCondemned: first.packsCondemned - (second?.packsDeleted ?? 0),
        bytesCondemned: first.bytesCondemned - (second?.bytesFreed ?? 0),
        refused: second?.refused ?? first.refused,
        bytesBefore: this.#bytesBefore.get(name) ?? 0,
        bytesAfter: totalBytes(sink.view),
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (error instanceof VaultError && error.code === 'fault') throw error
      this.#fail(name, error)
      return undefined
    }
  }

  async #lookAgain(sink: PruneSink): Promise<void> {
    // Stored again: how late it is there now.
    await this.#session.join(sink.view.sink, this.#options.signal)
    const seen = await this.#looking.view(sink.view.sink)
    sink.view = seen.view
    for (const key of sink.heads.keys()) if (!seen.view.snapshots.has(key)) sink.heads.delete(key)
    for (const [key, head] of seen.heads) sink.heads.set(key, head)
  }

  /** Packs that what this sink shows needs, and that it lacks. */
  #missing(sink: PruneSink): Set<string> {
    const needed = neededPacks(sink, [sink], this.#gone)
    return new Set([...needed].filter((name) => !sink.view.packs.has(name)))
  }

  #checkStillWhole(sink: PruneSink, before: ReadonlySet<string>): void {
    const lost = [...this.#missing(sink)].find((name) => !before.has(name))
    if (lost === undefined) return
    const { name } = sink.view.sink
    throw new VaultError(
      'fault',
      `sink "${name}" has lost ${packKey(lost)} while it was pruned: the others were left alone`,
      {
        sink: name,
        key: packKey(lost),
        hint: 'Run `pipe-backup heal`, and find out who else deletes there.',
      },
    )
  }

  async #compact(): Promise<PruneReport['compacted']> {
    const { host, stateDirectory, signal } = this.#options
    return await compact({
      sinks: this.#sinks,
      gone: this.#gone,
      indexKey: host.keys.indexKey,
      stateDirectory,
      signal,
      onProblem: (sink, error) => this.#reportProblem(sink, error),
    })
  }

  async #mergeIndexes(): Promise<void> {
    const { host, stateDirectory, signal } = this.#options
    await mergeIndexes({
      views: this.#sinks.map(({ view }) => view),
      indexKey: host.keys.indexKey,
      stateDirectory,
      signal,
      onProblem: (sink, error) => this.#reportProblem(sink, error),
    })
  }

  #reportProblem(sink: string | undefined, error: Error): void {
    this.#options.onProblem?.(sink, error)
  }

  #fail(sink: string, reason: unknown): void {
    const error = toError(reason)
    this.#failures.set(sink, error)
  }

  #report(
    removed: readonly string[],
    kept: number,
    pruned: readonly PrunedSink[],
    compacted: PruneReport['compacted'],
  ): PruneReport {
    const failed = [...this.#failures].map(
      ([name, error]): PrunedSink => ({
        name,
        state: 'failed',
        snapshotsRemoved: 0,
        packsDeleted: 0,
        bytesFreed: 0,
        packsCondemned: 0,
        bytesCondemned: 0,
        refused: 0,
        bytesBefore: this.#bytesBefore.get(name) ?? 0,
        bytesAfter: this.#bytesBefore.get(name) ?? 0,
        ...toFailure(error),
      }),
    )
    const order = this.#options.sinks.map(({ name }) => name)
    const sinks = [...pruned, ...failed].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    const isClean = sinks.every(({ state, refused }) => state === 'pruned' && refused === 0)
    return { removed, kept, compacted, sinks, exitCode: pruned.length === 0 ? 1 : isClean ? 0 : 3 }
  }
}

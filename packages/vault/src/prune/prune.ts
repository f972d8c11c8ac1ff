import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { packKey } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { requireMaintainer, type VaultHost } from '../format/vault-host.ts'
import { shownSnapshots, totalBytes } from '../store/listing.ts'
import type { Replica } from '../store/replica.ts'
import { joinedMarks, removedSnapshots } from '../store/replicas.ts'
import { VaultSession } from '../store/session.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'
import { compact } from './compact.ts'
import { mergeIndexes } from './merge-indexes.ts'
import { neededPacks } from './needed-packs.ts'
import { openForPrune, readForPrune } from './open-for-prune.ts'
import { type PruneSinkOptions, planPrune, pruneSink } from './prune-sink.ts'
import { renewLocks } from './renew-locks.ts'
import type { PrunedSink, PruneReport } from './report.ts'
import { snapshotsOf } from './snapshots-of.ts'
import { spentMarks } from './spent-marks.ts'

const GRACE_MS = 24 * 60 * 60 * 1000

export interface PruneOptions {
  readonly host: VaultHost
  readonly hostName: string
  /** All that are configured. */
  readonly sinks: readonly Sink[]
  /** Chooses the snapshots that go, by id; one that is pinned stays whatever this says. @param snapshots - oldest first, with their marks */
  readonly choose: (snapshots: readonly SnapshotInfo[]) => ReadonlySet<string>
  /**
   * Which snapshots the policy keeps, by id, of all that are shown: also of those that trash says were removed. These stay, for trash may be
   * that of a host that was taken over. Default none of them. @param snapshots - oldest first
   */
  readonly keeps?: ((snapshots: readonly SnapshotInfo[]) => ReadonlySet<string>) | undefined
  /** Ids of snapshots whose pins do not count: they go if they are chosen. */
  readonly unpinned?: ReadonlySet<string> | undefined
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
 * @throws the abort's reason; VaultError `not-permitted` where this host's key is not of one that maintains the vault, `busy` while another host prunes, `fault` when `choose` would leave nothing;
 * the first sink's error when none can be used
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { host, hostName, now = () => new Date() } = options
  requireMaintainer(host)
  const record = { host: hostName, hostId: host.hostId, started: now().toISOString(), kind: 'prune' } as const
  await using session = new VaultSession({ host, record })
  return await new Prune(options, session).perform()
}

class Prune {
  readonly #options: PruneOptions
  readonly #session: VaultSession
  readonly #bytesBefore = new Map<Replica, number>()
  /** All of them; those that can't be pruned have an error. */
  #all: readonly Replica[] = []
  /** Those that can. */
  #replicas: readonly Replica[] = []
  /** Ids of snapshots that go. */
  #gone: ReadonlySet<string> = new Set()
  /** Ids of snapshots that went, and that some sink may still show. */
  #remembered: ReadonlySet<string> = new Set()

  constructor(options: PruneOptions, session: VaultSession) {
    this.#options = options
    this.#session = session
  }

  async perform(): Promise<PruneReport> {
    const { dryRun = false, graceMs = GRACE_MS } = this.#options
    this.#all = await openForPrune(this.#options, this.#session)
    this.#replicas = this.#all.filter(({ error }) => !error)
    const choice = this.#choose()
    for (const replica of this.#replicas) this.#bytesBefore.set(replica, totalBytes(replica.listing))
    if (dryRun) {
      const sinks = this.#replicas.map((replica) => this.#preview(replica))
      return this.#report(choice, sinks, { from: 0, into: 0, bytes: 0 })
    }
    const compacted = this.#options.compact ? await this.#compact() : { from: 0, into: 0, bytes: 0 }
    const pruned: PrunedSink[] = []
    for (const replica of this.#replicas) {
      const report = await this.#prune(replica, graceMs)
      if (report) pruned.push(report)
    }
    await this.#mergeIndexes()
    return this.#report(choice, await this.#renewLocks(pruned), compacted)
  }

  /** What is needed still is locked on, where a sink locks what it stores. */
  async #renewLocks(pruned: readonly PrunedSink[]): Promise<PrunedSink[]> {
    return await Promise.all(
      pruned.map(async (sink) => {
        const replica = this.#replicas.find(({ name }) => name === sink.name)
        if (!replica) return sink
        return { ...sink, ...(await renewLocks(replica)) }
      }),
    )
  }

  #choose(): Pick<PruneReport, 'removed' | 'kept' | 'pinned'> {
    const { choose, keeps, unpinned = new Set<string>() } = this.#options
    const tombstoned = removedSnapshots(this.#replicas)
    const marks = joinedMarks(this.#all)
    const snapshots = snapshotsOf(this.#replicas, this.#listed, marks)
    // Whoever can write trash is not to choose what is kept: what it says was removed, and the policy keeps, stays.
    const saved = tombstoned.size > 0 ? keeps?.(snapshots) : undefined
    const held = marks.held().difference(unpinned)
    const left = snapshots.filter(({ id }) => !tombstoned.has(id) || saved?.has(id) || held.has(id))
    const chosen = choose(left).difference(held)
    const removed = left.filter(({ id }) => chosen.has(id)).map(({ id }) => id)
    if (left.length > 0 && removed.length === left.length)
      throw new VaultError('fault', 'the policy keeps no snapshot at all: nothing was removed', {
        hint: 'Correct `keep` in the configuration.',
      })
    const kept = new Set(left.filter(({ id }) => !chosen.has(id)).map(({ id }) => id))
    this.#gone = new Set([...removed, ...[...tombstoned.difference(held)].filter((id) => !kept.has(id))])
    // When every sink that is configured shows none of them any more, nobody can bring them back.
    const isSureOfAll = this.#replicas.length === this.#all.length
    const isShown = (id: string) =>
      this.#replicas.some(({ listing }) => shownSnapshots(listing).some((key) => snapshotIdOf(key) === id))
    this.#remembered = new Set([...this.#gone].filter((id) => !isSureOfAll || isShown(id)))
    return { removed, kept: kept.size, pinned: [...kept.intersection(held)] }
  }

  /** Those that were looked at, whether they can be pruned or not. */
  get #listed(): Replica[] {
    return this.#all.filter(({ isListed }) => isListed)
  }

  #plan(replica: Replica, graceMs: number): PruneSinkOptions {
    return {
      replica,
      host: this.#options.host,
      // Also what one shows that can't be pruned: it may have lost a pack that this one has.
      needed: neededPacks(replica, this.#listed, this.#gone),
      shown: neededPacks(replica, [replica], new Set()),
      gone: this.#gone,
      remembered: this.#remembered,
      spentMarks: spentMarks({
        replica,
        listed: this.#listed,
        isSureOfAll: this.#listed.length === this.#all.length,
        ownSession: this.#session.id,
        graceMs,
      }),
      ownSession: this.#session.id,
      graceMs,
      onRefused: (_, error) => replica.report(error),
    }
  }

  /** What a prune would do. */
  #preview(replica: Replica): PrunedSink {
    const plan = planPrune(this.#plan(replica, this.#options.graceMs ?? GRACE_MS))
    const bytesOf = (names: readonly string[]) =>
      names.reduce((sum, pack) => sum + (replica.listing.packs.get(pack)?.sizeBytes ?? 0), 0)
    const before = this.#bytesBefore.get(replica) ?? 0
    return {
      name: replica.name,
      state: 'pruned',
      snapshotsRemoved: plan.snapshots.length,
      packsDeleted: plan.pendingDeletion.length,
      bytesFreed: bytesOf(plan.pendingDeletion),
      packsCondemned: plan.condemned.length,
      bytesCondemned: bytesOf(plan.condemned),
      refused: 0,
      locksRenewed: 0,
      locksFailed: 0,
      bytesBefore: before,
      bytesAfter: before - bytesOf(plan.pendingDeletion),
    }
  }

  async #prune(replica: Replica, graceMs: number): Promise<PrunedSink | undefined> {
    const missingBefore = this.#missing(replica)
    try {
      const first = await pruneSink(this.#plan(replica, graceMs))
      await this.#lookAgain(replica)
      let second: typeof first | undefined
      if (graceMs === 0) {
        second = await pruneSink(this.#plan(replica, graceMs))
        await this.#lookAgain(replica)
      }
      this.#checkStillWhole(replica, missingBefore)
      return {
        name: replica.name,
        state: 'pruned',
        snapshotsRemoved: first.snapshotsRemoved,
        packsDeleted: first.packsDeleted + (second?.packsDeleted ?? 0),
        bytesFreed: first.bytesFreed + (second?.bytesFreed ?? 0),
        // The second may delete what an earlier prune has condemned, too.
        packsCondemned: Math.max(0, first.packsCondemned - (second?.packsDeleted ?? 0)),
        bytesCondemned: Math.max(0, first.bytesCondemned - (second?.bytesFreed ?? 0)),
        refused: second?.refused ?? first.refused,
        locksRenewed: 0,
        locksFailed: 0,
        bytesBefore: this.#bytesBefore.get(replica) ?? 0,
        bytesAfter: totalBytes(replica.listing),
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (error instanceof VaultError && error.code === 'fault') throw error
      replica.error = toError(error)
      return undefined
    }
  }

  async #lookAgain(replica: Replica): Promise<void> {
    // Stored again: how late it is there now.
    await this.#session.join(replica.sink, this.#options.signal)
    await replica.list()
    await readForPrune(replica)
  }

  /** Packs that what this sink shows needs, and that it lacks. */
  #missing(replica: Replica): Set<string> {
    const needed = neededPacks(replica, [replica], this.#gone)
    return new Set([...needed].filter((name) => !replica.has(packKey(name))))
  }

  #checkStillWhole(replica: Replica, before: ReadonlySet<string>): void {
    const lost = [...this.#missing(replica)].find((name) => !before.has(name))
    if (lost === undefined) return
    const { name } = replica
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
      replicas: this.#replicas,
      gone: this.#gone,
      host,
      stateDirectory,
      signal,
    })
  }

  async #mergeIndexes(): Promise<void> {
    const { host, stateDirectory } = this.#options
    await mergeIndexes({ replicas: this.#replicas, host, stateDirectory })
  }

  #report(
    choice: Pick<PruneReport, 'removed' | 'kept' | 'pinned'>,
    pruned: readonly PrunedSink[],
    compacted: PruneReport['compacted'],
  ): PruneReport {
    const sinks = this.#all.map((replica): PrunedSink => {
      const done = pruned.find(({ name }) => name === replica.name)
      if (done) return done
      const bytes = this.#bytesBefore.get(replica) ?? 0
      return {
        name: replica.name,
        state: 'failed',
        snapshotsRemoved: 0,
        packsDeleted: 0,
        bytesFreed: 0,
        packsCondemned: 0,
        bytesCondemned: 0,
        locksRenewed: 0,
        locksFailed: 0,
        refused: 0,
        bytesBefore: bytes,
        bytesAfter: bytes,
        ...(replica.error && toFailure(replica.error)),
      }
    })
    const isClean = sinks.every(
      ({ state, refused, locksFailed }) => state === 'pruned' && refused === 0 && locksFailed === 0,
    )
    return { ...choice, compacted, sinks, exitCode: pruned.length === 0 ? 1 : isClean ? 0 : 3 }
  }
}

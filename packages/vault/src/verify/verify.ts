import type { ObjectKeys, VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { packKey } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { DamageBook } from '../store/damage-book.ts'
import { OwnSnapshots } from '../store/own-snapshots.ts'
import { Replica } from '../store/replica.ts'
import { joinedMarks, openReplicas, removedSnapshots } from '../store/replicas.ts'
import { checkHeader } from './check-header.ts'
import { checkManifests } from './check-manifests.ts'
import { DeepProver } from './deep-prover.ts'
import { createVerifyProgress, type VerifyProblem, type VerifyProgress, type VerifyReport } from './report.ts'
import { SinkVerification } from './sink-verification.ts'

export interface VerifyOptions {
  readonly vaultId: string
  readonly keys: ObjectKeys
  /** All that are configured: what one shows the others must hold. */
  readonly sinks: readonly Sink[]
  /** Names of those to be verified. Default all. */
  readonly targets?: readonly string[] | undefined
  /** The phrase's keys: every pack is opened, too, and every manifest is walked. */
  readonly deepKeys?: VaultKeys | undefined
  /** Proves this part of the packs, more than 0 to 1, and the next time the next. Default 1. */
  readonly sample?: number | undefined
  /** Where this host keeps what was found, for `heal` and the next run. Without it nothing is kept. */
  readonly stateDirectory?: string | undefined
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  readonly progress?: VerifyProgress | undefined
  readonly onProblem?: ((problem: VerifyProblem) => void) | undefined
}

/**
 * Proves what sinks hold: that every object which a snapshot needs is there, has its size and its SHA-256, and that what is sealed
 * opens. Needs no phrase, but for `deepKeys`.
 * @throws the abort's reason; RangeError for a `sample` that is none
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { sinks, targets, sample = 1, vaultId, keys, signal, now = () => new Date() } = options
  if (!(sample > 0 && sample <= 1)) throw new RangeError(`a sample of ${sample} is not within 0 and 1`)
  const started = performance.now()
  const progress = options.progress ?? createVerifyProgress()
  const book =
    options.stateDirectory === undefined ? undefined : await DamageBook.open(options.stateDirectory)
  await using deep =
    options.deepKeys && (await DeepProver.open({ ...options.deepKeys, revoked: keys.revoked }))
  const context = {
    vaultId,
    keys,
    stateDirectory: options.stateDirectory,
    book,
    now,
    signal,
    onDamage: options.onProblem,
    withMarks: true,
  }
  const replicas = sinks.map((sink) => new Replica(sink, context))
  await openReplicas(replicas, checkHeader)
  const verifications = replicas.map((replica) => new SinkVerification(replica, { deep, progress }))
  await Promise.all(verifications.map((verification) => verification.look()))
  signal?.throwIfAborted()

  const listed = replicas.filter(({ isListed }) => isListed)
  const removed = removedSnapshots(listed)
  // One that opens nowhere is the affair of the sink that shows it: nobody can bring it to the others.
  const shown = new Set(listed.flatMap(({ heads }) => [...heads.keys()]))
  const snapshots = new Map(
    listed.flatMap(({ heads }) => [...heads].filter(([key]) => !removed.has(snapshotIdOf(key) ?? ''))),
  )
  const marks = joinedMarks(listed)
  const expected = {
    snapshots,
    marks: new Map([...snapshots].flatMap(([key, head]) => marks.intact(key).map((mark) => [mark, head]))),
    grants: new Set(listed.flatMap(({ listing }) => [...listing.grants.keys()])),
    sizes: new Map(verifications.flatMap(({ sizes }) => [...sizes])),
  }
  const chosen = verifications.filter(({ replica }) => targets?.includes(replica.name) ?? true)
  const windows = chosen.map(({ replica }) => ({ from: book?.cursor(replica.name) ?? 0, part: sample }))
  if (options.stateDirectory !== undefined) {
    const own = await OwnSnapshots.open(options.stateDirectory, vaultId)
    own.findMissing(
      chosen.flatMap(({ replica }) => (replica.error ? [] : [replica])),
      removed,
    )
  }
  await Promise.all(
    chosen.map((verification, i) => verification.prove(expected, windows[i] ?? { from: 0, part: 1 })),
  )
  signal?.throwIfAborted()
  if (options.deepKeys) {
    const distrusted = new Set(chosen.flatMap((verification) => verification.proveIndexes()))
    await checkManifests({
      replicas: chosen.map(({ replica }) => replica),
      keys: options.deepKeys,
      distrusted,
      signal,
    })
  }
  for (const [i, verification] of chosen.entries()) {
    const from = windows[i]?.from ?? 0
    const { name, error } = verification.replica
    if (!error && sample < 1) book?.setCursor(name, (from + sample) % 1)
  }
  await book?.save()
  const reports = chosen.map((verification) => verification.report())
  return {
    sinks: reports,
    snapshots: shown.size,
    lost: findLost(verifications),
    seconds: Math.round(performance.now() - started) / 1000,
    exitCode: reports.every(({ state }) => state === 'ok') ? 0 : 1,
  }
}

/** Packs that a snapshot needs and that are, as far as is known now, intact on no sink. */
function findLost(verifications: readonly SinkVerification[]): VerifyReport['lost'] {
  const needed = new Map<string, Set<string>>()
  for (const { needed: onSink } of verifications) {
    for (const [name, keys] of onSink) {
      const known = needed.get(name) ?? new Set<string>()
      for (const key of keys) known.add(snapshotIdOf(key) ?? key)
      needed.set(name, known)
    }
  }
  return [...needed]
    .filter(([name]) => !verifications.some((verification) => verification.holdsWhole(name)))
    .map(([name, snapshots]) => ({ key: packKey(name), snapshots: [...snapshots].sort() }))
}

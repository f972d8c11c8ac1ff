import { randomBytes } from 'node:crypto'
import { type IndexedPack, sealIndexes } from '../format/index-object.ts'
import { packKey } from '../format/pack-format.ts'
import {
  type SnapshotHead,
  type SnapshotSource,
  sealSnapshot,
  snapshotKey,
} from '../format/snapshot-object.ts'
import { bringPacks } from '../heal/bring-packs.ts'
import { reconcileSinks } from '../heal/reconcile-sinks.ts'
import type { DamageBook } from '../store/damage-book.ts'
import { damagedObject } from '../store/damage-of.ts'
import type { VaultSession } from '../store/session.ts'
import { VaultError } from '../vault-error.ts'
import type { RunContext } from './backup-options.ts'
import type { BackupTarget } from './backup-target.ts'
import type { BackupTargets } from './backup-targets.ts'
import { checkArrived } from './check-arrived.ts'

export interface CommitSnapshotOptions {
  readonly session: VaultSession
  readonly targets: BackupTargets
  readonly book: DamageBook
  readonly sources: readonly SnapshotSource[]
  /** Yields each sink that new packs go to when all have arrived there, or it has failed. */
  readonly through: AsyncIterable<BackupTarget>
  /** Every pack that the snapshot needs, and which of its chunks. */
  readonly live: ReadonlyMap<string, Buffer>
  /** Packs that no index object lists yet. */
  readonly unlisted: readonly IndexedPack[]
  /** Whether the run may be repeated. */
  readonly mayRepeat: boolean
}

export interface Commitment {
  /** The snapshot's id, where any sink holds it. */
  readonly id: string | null
  /** It came to nothing because it rested on a pack that is unrecoverable: another reading will not. */
  readonly isToRepeat: boolean
  /** Of what older snapshots need, and no sink has whole. */
  readonly lost?: VaultError | undefined
}

/**
 * Packs, index, snapshot: on each sink in this order, so that what it shows is whole. Sinks that are behind are filled from the
 * others. What became of each is in its target.
 * @throws the abort's reason
 */
export async function commitSnapshot(run: RunContext, options: CommitSnapshotOptions): Promise<Commitment> {
  const { host, started, signal, progress } = run
  const { session, targets, through, book, live, unlisted, mayRepeat } = options
  const id = randomBytes(8).toString('hex')
  const key = snapshotKey(started, id)
  const snapshot = sealSnapshot(host.keys.indexKey, key, headOf(run, options, id))
  const indexes = sealIndexes(host.keys.indexKey, unlisted)

  const tried = new Set<BackupTarget>()
  const held: BackupTarget[] = []
  let isToRepeat = false
  const onLost = () => {
    isToRepeat = mayRepeat
  }
  const commit = async (target: BackupTarget): Promise<void> => {
    if (isToRepeat) return
    tried.add(target)
    try {
      await bringAll(run, options, target, onLost)
      progress.phase = 'committing'
      for (const index of indexes) await target.put(index.key, index.object)
      await session.requireAlive(target.sink, signal)
      await target.put(key, snapshot)
      target.succeed()
      held.push(target)
    } catch (error) {
      signal?.throwIfAborted()
      target.fail(error, target.state === 'detached' ? 'detached' : 'failed')
    }
  }
  const behind = ({ view }: BackupTarget) => [...live.keys()].filter((name) => !view?.packs.has(name)).length
  // Sinks that missed nothing as soon as they have everything, whatever the others still wait for.
  for await (const target of through) if (target.state === 'ok' && behind(target) === 0) await commit(target)
  // The others are healed from them: those that missed least first.
  const left = targets.all.filter((target) => target.view && !tried.has(target))
  for (const target of left.sort((a, b) => behind(a) - behind(b))) await commit(target)
  await book.save()
  if (isToRepeat) {
    // It rests on what is unrecoverable. Where it can't be taken back, verify will report it.
    await Promise.allSettled(held.map(({ sink }) => sink.delete(key)))
    return { id: null, isToRepeat }
  }
  if (held.length === 0) return { id: null, isToRepeat }
  const lost = await levelAll(run, options)
  return { id, isToRepeat, ...(lost && { lost }) }
}

function headOf(run: RunContext, { sources, live }: CommitSnapshotOptions, id: string): SnapshotHead {
  const { host, hostName, program, started } = run
  return {
    version: 1,
    id,
    time: started.toISOString(),
    host: hostName,
    hostId: host.hostId,
    program,
    sources,
    packs: [...live]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, bitmap]) => [name, bitmap.toString('base64')]),
  }
}

/**
 * Sees to it that the sink holds every pack that the snapshot needs.
 * @param onLost - called when it needs a pack that was seen to be rotten and is unrecoverable
 * @throws VaultError, SinkError: the snapshot can't be committed there
 */
async function bringAll(
  run: RunContext,
  { targets, book, live, unlisted }: CommitSnapshotOptions,
  target: BackupTarget,
  onLost: () => void,
): Promise<void> {
  const { started, progress, onSinkProblem, signal } = run
  const { sink, view } = target
  if (!view) return
  progress.phase = 'healing'
  const rotten = new Set<string>()
  const brought = await bringPacks(view, targets.views(), {
    needed: new Set(live.keys()),
    wanted: new Set(unlisted.map(({ name }) => name)),
    damaged: book.of(sink.name),
    onProblem: (at, error) => {
      onSinkProblem?.(at, error)
      const damaged = damagedObject(error)
      if (!damaged) return
      // The next reading does not rest on it.
      book.add(at, damaged.key, damaged.why, started)
      rotten.add(damaged.key)
    },
    signal,
  }).catch((error: unknown) => {
    // One that could not be reached may have it whole: only what has been seen to be rotten is lost.
    if (error instanceof VaultError && error.code === 'missing' && rotten.has(error.key ?? '')) onLost()
    throw error
  })
  target.healed += brought.size
  for (const [name, sizeBytes] of brought) {
    target.sent.set(name, sizeBytes)
    target.count(sizeBytes)
  }
  await checkArrived(sink, target.sent, {
    signal,
    onBad: (name, why) => {
      view.packs.delete(name)
      book.add(sink.name, packKey(name), why, started)
    },
  })
}

/**
 * What older runs could not bring to a sink, and what verifications have found damaged.
 * @returns what is to be reported that no sink has whole
 */
async function levelAll(
  run: RunContext,
  { session, targets, book }: CommitSnapshotOptions,
): Promise<VaultError | undefined> {
  const { host, progress, onSinkProblem, signal, now = () => new Date() } = run
  progress.phase = 'healing'
  const { results, lost } = await reconcileSinks({
    views: targets.views(),
    targets: targets.working().flatMap(({ view }) => view ?? []),
    indexKey: host.keys.indexKey,
    book,
    thorough: false,
    mayForgetTrash: () => false,
    requireAlive: (sink) => session.requireAlive(sink, run.signal),
    now,
    onProblem: (sink, error) => onSinkProblem?.(sink, error),
    signal,
  })
  for (const { sink, packs, objects, bytes, error } of results) {
    const target = targets.of(sink)
    if (!target) continue
    target.healed += packs + objects
    target.count(bytes)
    if (!error) continue
    target.error = error
    onSinkProblem?.(sink, error)
  }
  const errors = lost.map(({ key, snapshots }) => {
    const message = `${key} is intact on no sink: snapshots that need it can't be restored in full: ${snapshots.join(', ')}`
    return new VaultError('missing', message, { key })
  })
  for (const error of errors) onSinkProblem?.(undefined, error)
  return errors[0]
}

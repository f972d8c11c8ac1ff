import { randomBytes } from 'node:crypto'
import { forEachLimited } from '../for-each-limited.ts'
import { type IndexedPack, openIndex, sealIndexes } from '../format/index-object.ts'
import { newMarkKey, openMark, sealMark } from '../format/mark-object.ts'
import { packKey } from '../format/pack-format.ts'
import {
  openSnapshotHead,
  type SnapshotHead,
  type SnapshotSource,
  sealSnapshot,
  snapshotKey,
} from '../format/snapshot-object.ts'
import { bringPack } from '../heal/bring-pack.ts'
import { reconcile } from '../heal/reconcile.ts'
import type { DamageBook } from '../store/damage-book.ts'
import type { Lacking } from '../store/replicas.ts'
import type { VaultSession } from '../store/session.ts'
import { VaultError } from '../vault-error.ts'
import type { RunContext } from './backup-options.ts'
import { type BackupTarget, openReplicasOf } from './backup-target.ts'
import { checkArrived } from './check-arrived.ts'
import { type MemoryWatch, type ProvenObject, proveObject } from './memory-watch.ts'

/** Packs that are in memory at a time, of those that are brought to a sink. */
const PACKS_AT_ONCE = 2

export interface CommitSnapshotOptions {
  readonly session: VaultSession
  readonly targets: readonly BackupTarget[]
  readonly book: DamageBook
  /** Sees what changes in memory while it is sent. */
  readonly memory: MemoryWatch
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
  const { session, targets, through, book, memory, live, unlisted, mayRepeat } = options
  const id = randomBytes(8).toString('hex')
  const key = snapshotKey(started, id)
  const head = headOf(run, options, id)
  const sealed = sealSnapshot(host, key, head)
  const snapshot = proveObject(
    key,
    sealed,
    () => JSON.stringify(openSnapshotHead(host.keys, key, sealed)) === JSON.stringify(head),
  )
  const mark = sealTags(run, key)
  const indexes = sealIndexes(host, unlisted).map((index) =>
    proveObject(index.key, index.object, () => openIndex(host.keys, index.key, index.object).length > 0),
  )

  const tried = new Set<BackupTarget>()
  const held: BackupTarget[] = []
  let isToRepeat = false
  const commit = async (target: BackupTarget): Promise<void> => {
    if (isToRepeat) return
    const { replica } = target
    tried.add(target)
    target.retry()
    try {
      await bringAll(run, options, target)
      progress.phase = 'committing'
      for (const index of indexes) await memory.put(target, index)
      await session.requireAlive(replica.sink, signal)
      if (mark) await memory.put(target, mark)
      await memory.put(target, snapshot)
      target.succeed()
      held.push(target)
    } catch (error) {
      signal?.throwIfAborted()
      target.fail(error, target.state === 'detached' ? 'detached' : 'failed')
      isToRepeat = mayRepeat && isRotten(error, targets)
    }
  }
  const behind = ({ replica }: BackupTarget) =>
    [...live.keys()].filter((name) => !replica.has(packKey(name))).length
  // Sinks that missed nothing as soon as they have everything, whatever the others still wait for.
  for await (const target of through) if (target.state === 'ok' && behind(target) === 0) await commit(target)
  // The others are healed from them: those that missed least first.
  const left = targets.filter((target) => target.isOpen && !tried.has(target))
  for (const target of left.sort((a, b) => behind(a) - behind(b))) await commit(target)
  await book.save()
  if (isToRepeat) {
    // It rests on what is unrecoverable. Where it can't be taken back, verify will report it.
    await Promise.allSettled(held.map(({ replica }) => replica.remove(mark ? [key, mark.key] : [key])))
    return { id: null, isToRepeat }
  }
  if (held.length === 0) return { id: null, isToRepeat }
  const lost = await reconcileAll(run, options)
  await book.save()
  return { id, isToRepeat, lost }
}

/** The mark with the tags that the snapshot gets, if it gets any. @throws VaultError `fault` */
function sealTags({ host, tags = [] }: RunContext, snapshotKey: string): ProvenObject | undefined {
  if (tags.length === 0) return undefined
  const key = newMarkKey(snapshotKey, host.hostId)
  const object = sealMark(host, key, { pinned: false, tags: [...new Set(tags)].sort(), replaces: [] })
  return proveObject(key, object, () => openMark(host.keys, key, object).tags.length > 0)
}

/**
 * Whether a snapshot could not be committed because it needs a pack that was seen to be damaged, and that no sink has whole. One that
 * could not be reached may have it.
 */
function isRotten(error: unknown, targets: readonly BackupTarget[]): boolean {
  // What a sink alone has lost is not lost.
  if (!(error instanceof VaultError) || error.code !== 'missing' || error.sink !== undefined) return false
  return targets.some(({ replica }) => replica.damaged.has(error.key ?? ''))
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

/** Sees to it that the sink holds every pack that the snapshot needs. @throws VaultError, SinkError: the snapshot can't be committed there */
async function bringAll(
  { progress }: RunContext,
  { targets, live, unlisted }: CommitSnapshotOptions,
  target: BackupTarget,
): Promise<void> {
  progress.phase = 'healing'
  const { replica, sent } = target
  const replicas = openReplicasOf(targets)
  const wanted = new Set([...live.keys(), ...unlisted.map(({ name }) => name)])
  let problem: VaultError | undefined
  await forEachLimited(wanted, PACKS_AT_ONCE, async (name) => {
    const key = packKey(name)
    if (replica.error || replica.has(key)) return
    const outcome = await bringPack(name, [replica], replicas, (_, sizeBytes) => {
      sent.set(name, sizeBytes)
      target.count(sizeBytes)
      target.healed++
    })
    if (outcome === 'brought' || !live.has(name)) return
    if (!problem || outcome === 'lost') problem = notBrought(key, outcome)
  })
  if (replica.error) throw replica.error
  // Not before all have been asked for: what is damaged is known of each then, and nothing will rest on it.
  if (problem) throw problem
  await checkArrived(replica, sent)
}

function notBrought(key: string, why: Lacking): VaultError {
  if (why === 'lost') return new VaultError('missing', `${key} is intact on no sink`, { key })
  return new VaultError('unanswered', `${key} could not be read: a sink that shows it does not answer`, {
    key,
  })
}

/**
 * What older runs could not bring to a sink, and what verifications have found damaged.
 * @returns what is to be reported that no sink has whole
 */
async function reconcileAll(
  run: RunContext,
  { session, targets }: CommitSnapshotOptions,
): Promise<VaultError | undefined> {
  const { host, progress, onSinkProblem, signal } = run
  progress.phase = 'healing'
  const working = new Map(
    targets.flatMap((target) => (target.isWorking ? [[target.replica, target] as const] : [])),
  )
  const { results, lost } = await reconcile({
    replicas: openReplicasOf(targets),
    targets: [...working.keys()],
    host,
    stateDirectory: run.stateDirectory,
    signal,
    thorough: false,
    mayRemove: false,
    mayForgetTrash: () => false,
    requireAlive: ({ sink }) => session.requireAlive(sink, signal),
  })
  for (const { replica, packs, objects, bytes } of results) {
    const target = working.get(replica)
    if (!target) continue
    target.healed += packs + objects
    target.count(bytes)
    if (replica.error) onSinkProblem?.(replica.name, replica.error)
  }
  const errors = lost.map(({ key, snapshots }) => {
    const message = `${key} is intact on no sink: snapshots that need it can't be restored in full: ${snapshots.join(', ')}`
    return new VaultError('missing', message, { key })
  })
  for (const error of errors) onSinkProblem?.(undefined, error)
  return errors[0]
}

import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { markedSnapshotOf, markIdOf, openMark } from '../format/mark-object.ts'
import { packNameOf } from '../format/pack-format.ts'
import { openSnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import { roleOf, type VaultHost } from '../format/vault-host.ts'
import { hasCode } from '../has-code.ts'
import { type DamagedObject, damageOf } from '../store/damage.ts'
import { DamageBook } from '../store/damage-book.ts'
import { checkGrant, isGrantKey } from '../store/grant.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import { shownSmallObjects } from '../store/listing.ts'
import { getObject } from '../store/read-sink.ts'
import { Replica, type ReplicaContext } from '../store/replica.ts'
import { onEach, openReplicas, removedSnapshots, requireAny } from '../store/replicas.ts'
import { VaultSession } from '../store/session.ts'
import { requireVault } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'
import { adoptSink } from './adopt-sink.ts'
import { excludeNoticedDamage, noteDamage } from './damage-notices.ts'
import { reconcile } from './reconcile.ts'
import type { LostPack, ReconcileResult } from './reconcile-result.ts'

export interface HealOptions {
  readonly host: VaultHost
  readonly hostName: string
  /** All that are configured: what one lacks is taken from the others. */
  readonly sinks: readonly Sink[]
  /** Names of those to be reconciled. Default all. */
  readonly targets?: readonly string[] | undefined
  /** Whether a sink without a vault is a new one, to be filled; otherwise it is an error: a disk may not be mounted. */
  readonly isNew: (sink: string) => boolean
  /** What is known to be missing or damaged besides what verifications have found. */
  readonly damaged?: readonly DamagedObject[] | undefined
  /** Looks into every snapshot of every sink for packs that it lacks. Default true; otherwise what is known is repaired, and what is not shown brought. */
  readonly thorough?: boolean | undefined
  readonly stateDirectory: string
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each object that a sink did not have whole. */
  readonly onProblem?: ((sink: string, error: Error) => void) | undefined
  /** Called with each object that was brought to a sink; the size is 0 of one that was damaged, of no use and removed. */
  readonly onHealed?: ((sink: string, key: string, sizeBytes: number) => void) | undefined
}

export interface HealedSink {
  readonly name: string
  /** `level`: it holds all that any sink holds; `behind`: something is intact on no sink that answers, or follows after a prune; `failed`: see `error`. */
  readonly state: 'level' | 'behind' | 'failed'
  readonly packs: number
  readonly objects: number
  readonly bytes: number
  /** Ids of snapshots that follow when a prune is through. */
  readonly postponed: readonly string[]
  readonly error?: string | undefined
  /** What to do about the error. */
  readonly hint?: string | undefined
}

export interface HealReport {
  readonly sinks: readonly HealedSink[]
  /** Packs that are intact on no sink. */
  readonly lost: readonly LostPack[]
  /** 0: all hold everything. */
  readonly exitCode: 0 | 1
}

/**
 * Copies to every sink what it lacks and another has, and repairs what verifications have found. Needs no phrase: it copies what is sealed.
 * @throws the abort's reason; the first sink's error when none can be used
 */
export async function heal(options: HealOptions): Promise<HealReport> {
  const { host, hostName, signal, onProblem, now = () => new Date() } = options
  const { keys } = host
  const record = { host: hostName, hostId: host.hostId, started: now().toISOString(), kind: 'heal' } as const
  await using session = new VaultSession({ host, record })
  const book = await DamageBook.open(options.stateDirectory)
  for (const { sink, key, why } of options.damaged ?? []) book.add(sink, key, why, now())
  const context: ReplicaContext = {
    vaultId: host.vaultId,
    keys,
    session,
    stateDirectory: options.stateDirectory,
    book,
    now,
    signal,
    onProblem,
    withMarks: true,
  }
  const all = options.sinks.map((sink) => new Replica(sink, context))
  await openReplicas(all, (replica) => admit(replica, options))
  const pruned = new Set<Replica>()
  await onEach(all, async (replica) => {
    // What it condemned is no longer condemned, and will be again by the next prune.
    for (const [key, { message }] of replica.listing.badTrash) replica.found(key, 'corrupt', message)
    await excludeDamage(replica)
    await excludeNoticedDamage(replica)
    await replica.readMarks()
    if (await isBeingPruned(replica, session.id)) pruned.add(replica)
  })
  const replicas = requireAny(all)
  const shown = new Map(replicas.map((replica) => [replica, shownSmallObjects(replica.listing)]))
  const { thorough = true } = options
  const isMaintainer = roleOf(host) === 'maintain'
  const { results, lost } = await reconcile({
    replicas,
    targets: replicas.filter(({ name }) => isTarget(options, name)),
    host,
    stateDirectory: options.stateDirectory,
    signal,
    thorough,
    mayRemove: isMaintainer,
    mayForgetTrash: (replica) => !pruned.has(replica),
    requireAlive: ({ sink }) => session.requireAlive(sink, signal),
    onHealed: options.onHealed,
  })
  if (thorough && isMaintainer) {
    const names = lost.flatMap(({ key }) => packNameOf(key) ?? [])
    for (const { replica } of results) await replica.attempt(() => noteDamage(replica, names, host))
  }
  const corrupt = new Set<string>()
  const removed = removedSnapshots(replicas)
  for (const [replica, keys] of shown)
    await replica.attempt(async () => {
      if (await hasFlaw(replica, keys, removed)) corrupt.add(replica.name)
    })
  await book.save()
  return report(options, all, results, { lost, corrupt })
}

function isTarget({ targets }: HealOptions, sink: string): boolean {
  return targets?.includes(sink) ?? true
}

/** A sink that is to be healed may be a new one, or have lost its `vault.json`. */
async function admit({ sink }: Replica, options: HealOptions): Promise<void> {
  const { host, isNew, signal, onHealed } = options
  if (isTarget(options, sink.name) && (await adoptSink(sink, { host, isNew: isNew(sink.name), signal })))
    onHealed?.(sink.name, 'vault.json', 0)
  await requireVault(sink, host.vaultId, signal)
}

/**
 * What is known to be damaged counts as absent, but for snapshots, marks and grants that are whole now: what was known of them may be of a moment when
 * the sink read badly, and what a snapshot needs is seen to only where it counts as there.
 * @throws the abort's reason; SinkError
 */
async function excludeDamage(replica: Replica): Promise<void> {
  const { snapshots, marks, grants } = replica.listing
  const listed = new Map([...snapshots, ...marks, ...grants])
  replica.excludeKnownDamage()
  for (const [key, object] of listed) {
    if (replica.has(key) || (await isCorrupt(replica, key))) continue
    replica.include(key, object)
    replica.proven(key)
  }
}

/**
 * Whether one of the snapshots, marks and grants that a sink has listed is damaged still, after the healing. What was known of them may be of yesterday.
 * @throws the abort's reason; SinkError
 */
async function hasFlaw(
  replica: Replica,
  keys: readonly string[],
  removed: ReadonlySet<string>,
): Promise<boolean> {
  let isFlawed = false
  for (const key of keys) {
    if (replica.has(key) || removed.has(snapshotIdOf(key) ?? '')) continue
    if (!(await isCorrupt(replica, key))) {
      replica.proven(key)
      continue
    }
    isFlawed = true
    replica.report(
      new VaultError('corrupt', `${key} is damaged, and intact on no sink`, {
        key,
        hint: `Bring back any sink that is away; where none has it, ${remedyOf(key)}.`,
      }),
    )
  }
  return isFlawed
}

/** What to do about an object that is damaged, and intact on no sink. */
function remedyOf(key: string): string {
  const snapshot = markedSnapshotOf(key)
  if (snapshot !== undefined)
    return `say again what holds of the snapshot: \`pipe-backup unpin ${snapshotIdOf(snapshot) ?? ''}\`, or \`pin\``
  return isGrantKey(key) ? 'run `pipe-backup key add-recipient` for it again' : 'delete that object by hand'
}

/** @returns false of one that is whole, and of one that is gone: a prune has removed it @throws SinkError; VaultError `unsupported-version` */
async function isCorrupt({ sink, context }: Replica, key: string): Promise<boolean> {
  try {
    const object = await getObject(sink, key, context.signal)
    if (isGrantKey(key)) checkGrant(context.keys, key, object)
    else if (markIdOf(key) !== undefined) openMark(context.keys, key, object)
    else openSnapshotHead(context.keys, key, object)
    return false
  } catch (error) {
    if (hasCode(error, 'not-found')) return false
    if (damageOf(error) !== undefined) return true
    throw toError(error)
  }
}

function report(
  options: HealOptions,
  replicas: readonly Replica[],
  results: readonly ReconcileResult[],
  { lost, corrupt }: { readonly lost: readonly LostPack[]; readonly corrupt: ReadonlySet<string> },
): HealReport {
  const healed = replicas
    .filter(({ name }) => isTarget(options, name))
    .map((replica): HealedSink => {
      const { name, error } = replica
      const result = results.find((one) => one.replica === replica)
      const postponed = [...(result?.postponed ?? [])].map((key) => snapshotIdOf(key) ?? key)
      const lacksPacks = lost.length > 0 || (result?.unanswered ?? 0) > 0
      const isBehind = postponed.length > 0 || lacksPacks || corrupt.has(name)
      return {
        name,
        state: error ? 'failed' : isBehind ? 'behind' : 'level',
        packs: result?.packs ?? 0,
        objects: result?.objects ?? 0,
        bytes: result?.bytes ?? 0,
        postponed,
        ...(error && toFailure(error)),
      }
    })
  return { sinks: healed, lost, exitCode: healed.every(({ state }) => state === 'level') ? 0 : 1 }
}

import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { openSnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { DamageBook } from '../store/damage-book.ts'
import { type DamagedObject, damageOf } from '../store/damage-of.ts'
import { checkGrant, isGrantKey } from '../store/grant.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import { getObject } from '../store/read-sink.ts'
import { VaultSession } from '../store/session.ts'
import { type SinkView, viewSink } from '../store/sink-view.ts'
import { requireVault } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'
import { adoptSink } from './adopt-sink.ts'
import type { ReconcileResult } from './heal-target.ts'
import { type LostPack, reconcileSinks } from './reconcile-sinks.ts'

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
  const { host, hostName, sinks, targets, signal, now = () => new Date() } = options
  const onProblem = options.onProblem ?? (() => undefined)
  const { indexKey } = host.keys
  const record = { host: hostName, hostId: host.hostId, started: now().toISOString(), kind: 'heal' } as const
  await using session = new VaultSession({ indexKey, record })
  const book = await DamageBook.open(options.stateDirectory)
  for (const { sink, key, why } of options.damaged ?? []) book.add(sink, key, why, now())
  const failures = new Map<string, Error>()
  const views: SinkView[] = []
  /** Keys of the snapshots and grants that each sink shows, damaged ones as well. */
  const shown = new Map<SinkView, readonly string[]>()
  const pruned = new Set<SinkView>()
  await Promise.all(
    sinks.map(async (sink) => {
      try {
        const isTarget = targets?.includes(sink.name) ?? true
        if (isTarget && (await adoptSink(sink, { host, isNew: options.isNew(sink.name), signal })))
          options.onHealed?.(sink.name, 'vault.json', 0)
        await requireVault(sink, host.vaultId, signal)
        await session.join(sink, signal)
        const view = await viewSink(sink, {
          indexKey,
          signal,
          onBadTrash: (key, error) => {
            onProblem(sink.name, error)
            // What it condemned is no longer condemned, and will be again by the next prune.
            book.add(sink.name, key, 'corrupt', now())
          },
        })
        shown.set(view, shownBy(view))
        book.exclude(view)
        if (await isBeingPruned(view, indexKey, session.id, signal)) pruned.add(view)
        views.push(view)
      } catch (error) {
        failures.set(sink.name, toError(error))
      }
    }),
  )
  signal?.throwIfAborted()
  const [first] = failures.values()
  if (views.length === 0) throw first ?? new VaultError('too-few-copies', 'no sink is configured')
  // In the configuration's order: the first is asked first.
  views.sort((a, b) => sinks.indexOf(a.sink) - sinks.indexOf(b.sink))
  const { results, lost } = await reconcileSinks({
    views,
    targets: views.filter(({ sink }) => targets?.includes(sink.name) ?? true),
    indexKey,
    book,
    thorough: options.thorough ?? true,
    mayForgetTrash: (view) => !pruned.has(view),
    requireAlive: (sink) => session.requireAlive(sink, signal),
    now,
    signal,
    onProblem,
    ...(options.onHealed && { onHealed: options.onHealed }),
  })
  const removed = new Set(views.flatMap((view) => [...view.removed]))
  const corrupt = new Set<string>()
  for (const view of views) {
    const { name } = view.sink
    for (const key of shown.get(view) ?? []) {
      if (view.snapshots.has(key) || view.grants.has(key) || removed.has(snapshotIdOf(key) ?? '')) continue
      const error = await flawOf(view, key, indexKey, signal)
      if (error === undefined) {
        book.clear(name, key)
        continue
      }
      if (damageOf(error) === undefined) {
        failures.set(name, error)
        break
      }
      corrupt.add(name)
      onProblem(
        name,
        new VaultError('corrupt', `${key} is damaged, and intact on no sink`, {
          key,
          hint: isGrantKey(key)
            ? 'Bring back any sink that is away; where none has it, run `pipe-backup key add-recipient` for it again.'
            : 'Bring back any sink that is away; where none has it, delete that object by hand.',
        }),
      )
    }
  }
  await book.save()
  return report(options, results, { lost, corrupt }, failures)
}

/** What the book says of it may be of yesterday. @returns why it does not open @throws the abort's reason */
async function flawOf(
  { sink }: SinkView,
  key: string,
  indexKey: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Error | undefined> {
  try {
    const object = await getObject(sink, key, signal)
    if (isGrantKey(key)) checkGrant(key, object)
    else openSnapshotHead(indexKey, key, object)
    return undefined
  } catch (error) {
    signal?.throwIfAborted()
    return toError(error)
  }
}

function shownBy({ snapshots, grants, truncated }: SinkView): string[] {
  const isShown = (key: string): boolean => snapshotIdOf(key) !== undefined || isGrantKey(key)
  return [...snapshots.keys(), ...grants.keys(), ...[...truncated].filter(isShown)]
}

function report(
  { sinks, targets }: HealOptions,
  results: readonly ReconcileResult[],
  { lost, corrupt }: { readonly lost: readonly LostPack[]; readonly corrupt: ReadonlySet<string> },
  failures: ReadonlyMap<string, Error>,
): HealReport {
  const healed = sinks
    .filter(({ name }) => targets?.includes(name) ?? true)
    .map(({ name }): HealedSink => {
      const result = results.find(({ sink }) => sink === name)
      const error = failures.get(name) ?? result?.error
      const postponed = (result?.postponed ?? []).map((key) => key.slice(-16))
      const lacksPacks = lost.length > 0 || (result?.unanswered ?? 0) > 0
      const isBehind = postponed.length > 0 || lacksPacks || (!result?.error && corrupt.has(name))
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

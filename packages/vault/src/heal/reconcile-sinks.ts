import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import { openSnapshotHead, type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { DamageBook } from '../store/damage-book.ts'
import { damageOf } from '../store/damage-of.ts'
import { fetchPack } from '../store/fetch-pack.ts'
import { readHeads } from '../store/read-heads.ts'
import { getObject } from '../store/read-sink.ts'
import type { SinkView } from '../store/sink-view.ts'
import { bringOthers } from './bring-others.ts'
import { HealTarget, type ReconcileResult } from './heal-target.ts'

/** Packs that are in memory at a time. */
const PACKS_AT_ONCE = 4

export interface ReconcileOptions {
  /** Of all the sinks that answer; kept up to date. */
  readonly views: readonly SinkView[]
  /** Those that are brought reconciliation. */
  readonly targets: readonly SinkView[]
  readonly indexKey: Uint8Array
  readonly book: DamageBook
  /** Looks at every snapshot that the targets show, and not only for those that they lack. */
  readonly thorough: boolean
  /**
   * Whether a damaged trash object may be removed. What it condemned is then no longer condemned, until the next prune; a prune that
   * goes on would delete it all the same.
   */
  readonly mayForgetTrash: (view: SinkView) => boolean
  /** Asked before a snapshot is shown on a sink. @throws where what it rests on may have been deleted meanwhile */
  readonly requireAlive: (sink: Sink) => Promise<void>
  readonly now: () => Date
  readonly signal?: AbortSignal | undefined
  /** Called with each object that a sink was to give and did not have whole. */
  readonly onProblem: (sink: string, error: Error) => void
  readonly onHealed?: ((sink: string, key: string, sizeBytes: number) => void) | undefined
}

/** A pack that no sink has whole. */
export interface LostPack {
  readonly key: string
  /** Keys of the snapshots that need it. */
  readonly snapshots: readonly string[]
}

/**
 * Reconciles sinks, through memory: each gets every snapshot that any other shows and no prune has removed, after all the packs
 * that it needs; and in place of what is damaged there, what another has whole. One sink's failure does not stop the others.
 * @throws the abort's reason
 */
export async function reconcileSinks(
  options: ReconcileOptions,
): Promise<{ results: ReconcileResult[]; lost: LostPack[] }> {
  const reconciliation = new Reconciliation(options)
  await reconciliation.repair()
  const isReplaced = await reconciliation.replaceCorrupt()
  await reconciliation.complete()
  // What the replaced ones needed may be of no use now.
  if (isReplaced) await reconciliation.repair()
  await options.book.save()
  return {
    results: reconciliation.results(),
    lost: [...reconciliation.lost].map(([name, keys]) => ({
      key: packKey(name),
      snapshots: [...keys].sort(),
    })),
  }
}

class Reconciliation {
  readonly #options: ReconcileOptions
  readonly #targets: readonly HealTarget[]
  /** Names of packs that no sink has whole, and the snapshots that need them. */
  readonly lost = new Map<string, Set<string>>()

  constructor(options: ReconcileOptions) {
    this.#options = options
    this.#targets = options.targets.map((view) => new HealTarget(view, options))
  }

  results(): ReconcileResult[] {
    return this.#targets.map(({ result }) => result)
  }

  /** Makes whole what the sinks show. */
  async repair(): Promise<void> {
    for (const target of this.#targets) {
      await target.attempt(async () => {
        const needed = this.#options.thorough
          ? await this.#neededByShown(target)
          : new Map<string, string[]>()
        const { view } = target
        for (const key of this.#options.book.of(view.sink.name).keys()) {
          const name = packNameOf(key)
          if (name === undefined) continue
          // The run has put it back meanwhile.
          if (view.packs.has(name)) this.#options.book.clear(view.sink.name, key)
          else if (!needed.has(name)) needed.set(name, [])
        }
        const missing = [...needed].filter(([name]) => !view.packs.has(name))
        await forEachLimited(missing, PACKS_AT_ONCE, async ([name, snapshots]) => {
          if ((await this.#bringPack(name, [target], snapshots)) !== 'lost') return
          target.corrupt.push(...snapshots)
          if (snapshots.length === 0 && this.#options.thorough) await target.removeUseless(packKey(name))
        })
      })
    }
  }

  /**
   * Snapshots that can't be restored as a sink has them: another sink may name other packs for the same, after a compaction that did not
   * come here.
   * @returns whether any was replaced
   */
  async replaceCorrupt(): Promise<boolean> {
    let isReplaced = false
    for (const target of this.#targets) {
      for (const key of new Set(target.corrupt.splice(0))) {
        const own = target.view.snapshots.get(key)
        target.view.snapshots.delete(key)
        if (!target.result.error) await this.#bringSnapshot(key, [target])
        if (target.view.snapshots.has(key)) isReplaced = true
        else if (own) target.view.snapshots.set(key, own)
      }
    }
    return isReplaced
  }

  /** Brings what the sinks do not show. */
  async complete(): Promise<void> {
    const { views } = this.#options
    const removed = new Set(views.flatMap((view) => [...view.removed]))
    const keys = new Set(views.flatMap((view) => [...view.snapshots.keys()]))
    // The newest first: it is the one that will be wanted.
    for (const key of [...keys].sort().reverse()) {
      if (removed.has(snapshotIdOf(key) ?? '')) continue
      const lacking = this.#targets.filter(({ view, result }) => !result.error && !view.snapshots.has(key))
      if (lacking.length > 0) await this.#bringSnapshot(key, lacking)
    }
    for (const target of this.#targets) {
      await target.attempt(async () => {
        await bringOthers(target, 'grants', this.#options)
        await bringOthers(target, 'indexes', this.#options)
        if (this.#options.thorough) await this.#removeCorrupt(target)
      })
    }
  }

  /** @returns names of packs that the snapshots need which this sink shows, and these snapshots' keys */
  async #neededByShown({ view }: HealTarget): Promise<Map<string, string[]>> {
    const { indexKey, signal, book, now, onProblem } = this.#options
    const needed = new Map<string, string[]>()
    const heads = await readHeads(view, [...view.snapshots.keys()], {
      indexKey,
      signal,
      onBad: (key, error) => {
        // Another sink may have it whole: here it counts as absent.
        view.snapshots.delete(key)
        book.add(view.sink.name, key, 'corrupt', now())
        onProblem(view.sink.name, error)
      },
    })
    for (const [key, { packs }] of heads) {
      for (const [name] of packs) {
        const users = needed.get(name)
        if (users) users.push(key)
        else needed.set(name, [key])
      }
    }
    return needed
  }

  async #bringSnapshot(key: string, targets: readonly HealTarget[]): Promise<void> {
    const tried = new Set<string>()
    for (const view of this.#options.views) {
      const lacking = targets.filter((target) => !target.result.error && !target.view.snapshots.has(key))
      if (lacking.length === 0) return
      const found = await this.#readSnapshot(view, key)
      // Sinks that missed a compaction name other packs than those which did not.
      const version = found && JSON.stringify(found.head.packs)
      if (!version || tried.has(version)) continue
      tried.add(version)
      if (await this.#bringVersion(key, found, lacking)) this.#recover(key)
    }
  }

  /** @returns whether any sink has got it: not when something that it needs is unrecoverable, or condemned on each */
  async #bringVersion(
    key: string,
    { object, head }: { object: Uint8Array; head: SnapshotHead },
    targets: readonly HealTarget[],
  ): Promise<boolean> {
    const able = targets.filter(({ view, result }) => {
      if (!head.packs.some(([name]) => view.condemned.has(name))) return true
      if (!result.postponed.includes(key)) result.postponed.push(key)
      return false
    })
    let isWhole = true
    await forEachLimited(head.packs, PACKS_AT_ONCE, async ([name]) => {
      const lacking = able.filter(({ view, result }) => !result.error && !view.packs.has(name))
      if (lacking.length > 0 && (await this.#bringPack(name, lacking, [key])) !== 'brought') isWhole = false
    })
    if (!isWhole || able.length === 0) return false
    for (const target of able) {
      if (target.result.error) continue
      await target.attempt(async () => {
        await this.#options.requireAlive(target.view.sink)
        await target.put(key, object)
        const storedAt = this.#options.now()
        target.view.snapshots.set(key, { sizeBytes: object.length, storedAt })
        target.result.objects++
        const { postponed } = target.result
        if (postponed.includes(key)) postponed.splice(postponed.indexOf(key), 1)
      })
    }
    return true
  }

  /** A snapshot that was taken for lost is whole. */
  #recover(key: string): void {
    for (const [name, snapshots] of this.lost) {
      snapshots.delete(key)
      if (snapshots.size === 0) this.lost.delete(name)
    }
  }

  async #readSnapshot(
    view: SinkView,
    key: string,
  ): Promise<{ object: Uint8Array; head: SnapshotHead } | undefined> {
    const { indexKey, signal, onProblem } = this.#options
    if (!view.snapshots.has(key)) return undefined
    try {
      const object = await getObject(view.sink, key, signal)
      return { object, head: openSnapshotHead(indexKey, key, object) }
    } catch (error) {
      signal?.throwIfAborted()
      if (damageOf(error) !== undefined) view.snapshots.delete(key)
      onProblem(view.sink.name, toError(error))
      return undefined
    }
  }

  /** @returns `lost` when no sink has it whole; `unanswered` when one that does not answer may have it */
  async #bringPack(
    name: string,
    targets: readonly HealTarget[],
    neededBy: readonly string[],
  ): Promise<'brought' | 'lost' | 'unanswered'> {
    const { views, onProblem, signal } = this.#options
    const key = packKey(name)
    const pack = await fetchPack(name, views, { onProblem, signal })
    if (pack === 'unanswered') {
      for (const { result } of targets) result.unanswered++
      return 'unanswered'
    }
    if (pack === 'lost') {
      const known = this.lost.get(name) ?? new Set<string>()
      if (neededBy.length > 0) this.lost.set(name, known)
      for (const snapshot of neededBy) known.add(snapshot)
      return 'lost'
    }
    await Promise.all(
      targets.map((target) =>
        target.attempt(async () => {
          await target.put(key, pack)
          target.view.packs.set(name, { sizeBytes: pack.length, storedAt: this.#options.now() })
          target.result.packs++
        }),
      ),
    )
    return 'brought'
  }

  /** Takes away what is damaged and was brought by no other sink, where nothing is lost with it. */
  async #removeCorrupt(target: HealTarget): Promise<void> {
    const { views, book } = this.#options
    const { view } = target
    const removed = new Set(views.flatMap((other) => [...other.removed]))
    for (const key of book.of(view.sink.name).keys()) {
      const isUseless = key.startsWith('trash/')
        ? this.#options.mayForgetTrash(view)
        : (key.startsWith('index/') && !view.indexes.has(key)) || removed.has(snapshotIdOf(key) ?? '')
      if (isUseless) await target.removeUseless(key)
    }
  }
}

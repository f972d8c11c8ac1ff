import type { Sink } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import { openObject } from '../format/sealed-object.ts'
import { openSnapshotHead, type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { DamageBook } from '../store/damage-book.ts'
import { damageOf } from '../store/damage-of.ts'
import { fetchPack } from '../store/fetch-pack.ts'
import { checkGrant } from '../store/grant.ts'
import { putRepaired } from '../store/put-repaired.ts'
import { readHeads } from '../store/read-heads.ts'
import { getObject } from '../store/read-sink.ts'
import type { SinkView } from '../store/sink-view.ts'
import { VaultError } from '../vault-error.ts'

/** Packs that are in memory at a time. */
const PACKS_AT_ONCE = 4

export interface ReconcileOptions {
  /** Of all the sinks that answer; kept up to date. */
  readonly views: readonly SinkView[]
  /** Those that are brought level. */
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

/** What became of one sink. */
export interface ReconcileResult {
  readonly sink: string
  /** Packs that were brought to it. */
  packs: number
  /** Other objects that were brought to it, or taken away because they were damaged and of no use. */
  objects: number
  bytes: number
  /** Keys of snapshots that it still lacks because a prune has condemned their packs there: they follow when that is through. */
  readonly postponed: string[]
  /** What it lacks, and what could not be read from a sink that shows it and does not answer. */
  unanswered: number
  error: Error | undefined
}

/** A pack that no sink has whole. */
export interface LostPack {
  readonly key: string
  /** Keys of the snapshots that need it. */
  readonly snapshots: readonly string[]
}

/**
 * Brings sinks level, through memory: each gets every snapshot that any other shows and no prune has removed, after all the packs
 * that it needs; and in place of what is damaged there, what another has whole. One sink's failure does not stop the others.
 * @throws the abort's reason
 */
export async function reconcileSinks(
  options: ReconcileOptions,
): Promise<{ results: ReconcileResult[]; lost: LostPack[] }> {
  const level = new Level(options)
  await level.repair()
  const isReplaced = await level.replaceSpoilt()
  await level.complete()
  // What the replaced ones needed may be of no use now.
  if (isReplaced) await level.repair()
  await options.book.save()
  return {
    results: level.results(),
    lost: [...level.lost].map(([name, keys]) => ({ key: packKey(name), snapshots: [...keys].sort() })),
  }
}

/** What is brought to one sink. */
interface Target {
  readonly view: SinkView
  readonly result: ReconcileResult
  /** Keys of snapshots that it shows, and that need What is unrecoverable. */
  corrupt: string[]
}

class Level {
  readonly #options: ReconcileOptions
  readonly #targets: readonly Target[]
  /** Names of packs that no sink has whole, and the snapshots that need them. */
  readonly lost = new Map<string, Set<string>>()

  constructor(options: ReconcileOptions) {
    this.#options = options
    this.#targets = options.targets.map((view) => ({
      view,
      result: {
        sink: view.sink.name,
        packs: 0,
        objects: 0,
        bytes: 0,
        postponed: [],
        unanswered: 0,
        error: undefined,
      },
      corrupt: [],
    }))
  }

  results(): ReconcileResult[] {
    return this.#targets.map(({ result }) => result)
  }

  /** Makes whole what the sinks show. */
  async repair(): Promise<void> {
    for (const target of this.#targets) {
      await this.#onTarget(target, async () => {
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
          if (snapshots.length === 0 && this.#options.thorough)
            await this.#removeUseless(target, packKey(name))
        })
      })
    }
  }

  /**
   * Snapshots that can't be restored as a sink has them: another sink may name other packs for the same, after a compaction that did not
   * come here.
   * @returns whether any was replaced
   */
  async replaceSpoilt(): Promise<boolean> {
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
      await this.#onTarget(target, async () => {
        await this.#bringOthers(target, 'grants')
        await this.#bringOthers(target, 'indexes')
        if (this.#options.thorough) await this.#removeSpoilt(target)
      })
    }
  }

  /** @returns names of packs that the snapshots need which this sink shows, and these snapshots' keys */
  async #neededByShown({ view }: Target): Promise<Map<string, string[]>> {
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

  async #bringSnapshot(key: string, targets: readonly Target[]): Promise<void> {
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
    targets: readonly Target[],
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
      await this.#onTarget(target, async () => {
        await this.#options.requireAlive(target.view.sink)
        await this.#put(target, key, object)
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
    targets: readonly Target[],
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
        this.#onTarget(target, async () => {
          await this.#put(target, key, pack)
          target.view.packs.set(name, { sizeBytes: pack.length, storedAt: this.#options.now() })
          target.result.packs++
        }),
      ),
    )
    return 'brought'
  }

  /** What other sinks have and this one lacks. Indexes are a cache: without one, footers are read. */
  async #bringOthers(target: Target, kind: 'grants' | 'indexes'): Promise<void> {
    const unanswered = new Set<string>()
    for (const other of this.#options.views) {
      for (const key of other[kind].keys()) {
        if (target.view[kind].has(key)) continue
        const object = await this.#fetchOther(other, kind, key)
        if (!object) {
          if (other[kind].has(key)) unanswered.add(key)
          continue
        }
        unanswered.delete(key)
        await this.#put(target, key, object)
        target.view[kind].set(key, { sizeBytes: object.length, storedAt: this.#options.now() })
        target.result.objects++
      }
    }
    target.result.unanswered += unanswered.size
  }

  /** Takes away what is damaged and was brought by no other sink, where nothing is lost with it. */
  async #removeSpoilt(target: Target): Promise<void> {
    const { views, book } = this.#options
    const { view } = target
    const removed = new Set(views.flatMap((other) => [...other.removed]))
    for (const key of book.of(view.sink.name).keys()) {
      const isUseless = key.startsWith('trash/')
        ? this.#options.mayForgetTrash(view)
        : (key.startsWith('index/') && !view.indexes.has(key)) || removed.has(snapshotIdOf(key) ?? '')
      if (isUseless) await this.#removeUseless(target, key)
    }
  }

  async #fetchOther(
    view: SinkView,
    kind: 'grants' | 'indexes',
    key: string,
  ): Promise<Uint8Array | undefined> {
    const { indexKey, signal, onProblem } = this.#options
    try {
      const object = await getObject(view.sink, key, signal)
      if (kind === 'grants') checkGrant(key, object)
      else openObject(indexKey, key, object)
      return object
    } catch (error) {
      signal?.throwIfAborted()
      if (damageOf(error) !== undefined) view[kind].delete(key)
      onProblem(view.sink.name, toError(error))
      return undefined
    }
  }

  /** Damaged, needed by nothing, and unrecoverable. */
  async #removeUseless(target: Target, key: string): Promise<void> {
    const { signal, book, onHealed } = this.#options
    await target.view.sink.delete(key, { signal })
    book.clear(target.view.sink.name, key)
    target.result.objects++
    onHealed?.(target.view.sink.name, key, 0)
  }

  async #put({ view, result }: Target, key: string, bytes: Uint8Array): Promise<void> {
    const { signal, book, onHealed } = this.#options
    const isDamaged = book.of(view.sink.name).get(key)?.why === 'corrupt'
    const put = isDamaged ? putRepaired : putPlainly
    await put(view.sink, key, bytes, { signal })
    book.clear(view.sink.name, key)
    result.bytes += bytes.length
    onHealed?.(view.sink.name, key, bytes.length)
  }

  async #onTarget({ result }: Target, work: () => Promise<void>): Promise<void> {
    if (result.error) return
    try {
      await work()
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      result.error ??= toError(error)
    }
  }
}

async function putPlainly(
  sink: Sink,
  key: string,
  bytes: Uint8Array,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  await sink.put(key, bytes, options)
}

function toError(reason: unknown): Error {
  return reason instanceof VaultError || reason instanceof Error ? reason : new Error(String(reason))
}

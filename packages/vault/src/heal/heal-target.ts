import { toError } from '@pipe-backup/sink'
import type { DamageBook } from '../store/damage-book.ts'
import { putRepaired } from '../store/put-repaired.ts'
import type { SinkView } from '../store/sink-view.ts'

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

interface HealTargetOptions {
  readonly book: DamageBook
  readonly signal?: AbortSignal | undefined
  readonly onHealed?: ((sink: string, key: string, sizeBytes: number) => void) | undefined
}

/** A sink that is brought what it lacks, and what has become of it so far. */
export class HealTarget {
  readonly view: SinkView
  readonly result: ReconcileResult
  /** Keys of snapshots that it shows, and that need what is unrecoverable. */
  corrupt: string[] = []
  readonly #options: HealTargetOptions

  constructor(view: SinkView, options: HealTargetOptions) {
    this.view = view
    this.#options = options
    this.result = {
      sink: view.sink.name,
      packs: 0,
      objects: 0,
      bytes: 0,
      postponed: [],
      unanswered: 0,
      error: undefined,
    }
  }

  /** Does something with it, unless it has failed already; a failure is its own. @throws the abort's reason */
  async attempt(work: () => Promise<void>): Promise<void> {
    if (this.result.error) return
    try {
      await work()
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      this.result.error ??= toError(error)
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { signal, book, onHealed } = this.#options
    const { sink } = this.view
    const isDamaged = book.of(sink.name).get(key)?.why === 'corrupt'
    if (isDamaged) await putRepaired(sink, key, bytes, { signal })
    else await sink.put(key, bytes, { signal })
    book.clear(sink.name, key)
    this.result.bytes += bytes.length
    onHealed?.(sink.name, key, bytes.length)
  }

  /** Of what is damaged, needed by nothing, and unrecoverable. */
  async removeUseless(key: string): Promise<void> {
    const { signal, book, onHealed } = this.#options
    const { sink } = this.view
    await sink.delete(key, { signal })
    book.clear(sink.name, key)
    this.result.objects++
    onHealed?.(sink.name, key, 0)
  }
}

import { type Sink, toError } from '@pipe-backup/sink'

/** Several sinks with which one thing is done after the other: one that has failed is left out from then on. */
export class EachSink {
  /** What became of those that have failed. */
  readonly errors: Map<Sink, Error> = new Map()
  readonly #sinks: readonly Sink[]
  readonly #signal: AbortSignal | undefined

  constructor(sinks: readonly Sink[], signal: AbortSignal | undefined) {
    this.#sinks = sinks
    this.#signal = signal
  }

  /** Those that have not failed. */
  get working(): Sink[] {
    return this.#sinks.filter((sink) => !this.errors.has(sink))
  }

  /** Does something with all that have not failed, at once. @throws the abort's reason */
  async do(work: (sink: Sink) => Promise<void>): Promise<void> {
    await Promise.all(
      this.working.map((sink) =>
        work(sink).catch((error: unknown) => {
          this.errors.set(sink, toError(error))
        }),
      ),
    )
    this.#signal?.throwIfAborted()
  }

  /** @throws the first one's error, when all have failed */
  requireAny(): void {
    const [first] = this.errors.values()
    if (this.errors.size === this.#sinks.length && first) throw first
  }
}

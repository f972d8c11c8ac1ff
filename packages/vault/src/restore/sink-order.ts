import type { ReadOptions, Sink } from '@pipe-backup/sink'
import { VaultError } from '../vault-error.ts'

/** How long a sink is watched before it is judged, in milliseconds. */
const SLOW_AFTER_MS = 60_000
/** What it must give in a second, all its requests together: a tenth of what the slowest lines give that anybody backs up over. */
const MIN_BYTES_PER_SECOND = 1024

export interface SinkOrderOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  /** How long a sink may give less than 1 kB a second while others may have the same, in milliseconds. Default a minute. */
  readonly slowAfterMs?: number | undefined
  readonly onProblem: (error: Error) => void
}

/** Why a request was given up: the sink gave next to nothing. What it has is as good as before. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/**
 * Which sink is asked first. A line may be as slow as it likes, but a sink that trickles, and is never silent for long enough to fail, is not to hold what
 * another has: it is asked after all the others from then on, and then waited for.
 */
export class SinkOrder {
  readonly #options: SinkOrderOptions
  readonly #slow = new Set<Sink>()
  readonly #bytes = new Map<Sink, number>()

  constructor(options: SinkOrderOptions) {
    this.#options = options
  }

  /** Each sink once; one that proves slow when it is asked comes again, in the end. */
  *[Symbol.iterator](): Generator<Sink> {
    const { sinks } = this.#options
    for (const sink of sinks) if (!this.#slow.has(sink)) yield sink
    for (const sink of sinks) if (this.#slow.has(sink)) yield sink
  }

  /**
   * Makes a request, and gives it up when the sink has given next to nothing for a while, where another can be asked.
   * @throws TooSlowError; what the request throws
   */
  async ask(
    sink: Sink,
    signal: AbortSignal | undefined,
    request: (options: Pick<ReadOptions, 'signal' | 'onBytes'>) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    if (!this.#isImpatient(sink)) return await request({ signal })
    const { slowAfterMs = SLOW_AFTER_MS } = this.#options
    const slow = new AbortController()
    const given = Promise.withResolvers<never>()
    let seen = this.#bytes.get(sink) ?? 0
    const timer = setInterval(() => {
      const bytes = this.#bytes.get(sink) ?? 0
      const isSlow = bytes - seen < (MIN_BYTES_PER_SECOND * slowAfterMs) / 1000
      seen = bytes
      if (!isSlow || !this.#isImpatient(sink, true)) return
      this.#judge(sink)
      const error = new TooSlowError()
      given.reject(error)
      slow.abort(error)
    }, slowAfterMs)
    const onBytes = (sizeBytes: number): undefined => {
      this.#bytes.set(sink, (this.#bytes.get(sink) ?? 0) + sizeBytes)
    }
    try {
      const until = signal ? AbortSignal.any([signal, slow.signal]) : slow.signal
      // Raced, for a sink that trickles may be deaf to its signal too.
      return await Promise.race([request({ signal: until, onBytes }), given.promise])
    } catch (error) {
      throw slow.signal.aborted ? slow.signal.reason : error
    } finally {
      clearInterval(timer)
    }
  }

  /** @param isAsked - its own request is under way: whether it was judged by another since does not matter */
  #isImpatient(sink: Sink, isAsked = false): boolean {
    const isOtherLeft = this.#options.sinks.some((other) => other !== sink && !this.#slow.has(other))
    return isOtherLeft && (isAsked || !this.#slow.has(sink))
  }

  #judge(sink: Sink): void {
    if (this.#slow.has(sink)) return
    this.#slow.add(sink)
    const message = `sink "${sink.name}" gives less than ${MIN_BYTES_PER_SECOND / 1024} kB a second: the others are asked before it`
    this.#options.onProblem(new VaultError('unanswered', message, { sink: sink.name }))
  }
}

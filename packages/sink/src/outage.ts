import { SinkError } from './sink-error.ts'

/** How long a sink that did not answer is left alone, at first and at most, in milliseconds. */
const FIRST_MS = 30_000
const MAX_MS = 300_000

/**
 * What is remembered of a sink that is down, so that it costs its callers one round of retries together and not one for each object:
 * until the next look is due requests fail at once, then one request is let through, without retries.
 */
export class Outage {
  readonly #now: () => number
  #error: SinkError | undefined
  #nextAt = 0
  #waitMs = FIRST_MS
  #successes = 0

  /** @param now - a clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether it is down as far as is known. */
  get isDown(): boolean {
    return this.#error !== undefined
  }

  /** Requests that were answered so far. */
  get successes(): number {
    return this.#successes
  }

  /** Before a request. @throws SinkError, what it failed with last, while it is down and no look is due */
  check(): void {
    if (this.#error === undefined) return
    if (this.#now() < this.#nextAt) throw this.#error
    // Whoever comes now looks for all.
    this.#nextAt = this.#now() + this.#waitMs
  }

  succeed(): void {
    this.#successes++
    this.#error = undefined
    this.#waitMs = FIRST_MS
  }

  /**
   * A request has failed for good, for a reason that may pass.
   * @param successesBefore - `successes` when its round of retries began: a sink that answers others meanwhile is not down
   */
  fail(error: SinkError, successesBefore: number): void {
    if (this.#successes !== successesBefore) return
    if (this.#error !== undefined) this.#waitMs = Math.min(this.#waitMs * 2, MAX_MS)
    this.#nextAt = this.#now() + this.#waitMs
    const { code, sink, hint, retryAfterMs } = error
    // Without the key: it stands for all.
    const what = error.message
      .slice(error.message.indexOf(':') + 1)
      .replace(error.key ?? '', '')
      .trim()
    this.#error = new SinkError(code, what, {
      sink,
      cause: error,
      hint,
      retryAfterMs,
    })
  }
}

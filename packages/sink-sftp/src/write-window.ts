/** Sixteen requests under way fill a link of 100 ms and 40 MB/s, and the pipes of a local one. */
const MAX_REQUESTS = 16
/** An answer that takes longer waits behind bytes that need not be on their way yet. */
const SLOW_MS = 5000
const FAST_MS = 1000

/**
 * How many writes may wait for their answer at once on a server's connection: on a slow line few, so that what else is asked there does not
 * wait for minutes behind megabytes.
 */
export class WriteWindow {
  #requests = MAX_REQUESTS

  get requests(): number {
    return this.#requests
  }

  /** @param ms - how long a write has waited for its answer */
  answered(ms: number): void {
    if (ms > SLOW_MS) this.#requests = Math.max(1, this.#requests >> 1)
    else if (ms < FAST_MS) this.#requests = Math.min(MAX_REQUESTS, this.#requests + 1)
  }
}

/** A rate is not believed before it has been measured for so long: buffers swallow the first bytes at once. */
const SHORTEST_MS = 5_000
/** An old rate says nothing of now. */
const INTERVAL_MS = 10_000

/** How many bytes a second something moves while it is at work; waiting for work does not count. Times are in milliseconds. */
export class RateMeter {
  #bytes = 0
  #since: number | undefined
  #last: number | undefined

  start(now: number): void {
    this.#since ??= now
  }

  add(bytes: number, now: number): void {
    this.#bytes += bytes
    if (this.#since !== undefined && now - this.#since >= INTERVAL_MS) this.#roll(now, now)
  }

  stop(now: number): void {
    this.#roll(now, undefined)
  }

  /** @returns undefined when it has never been at work */
  bytesPerSecond(now: number): number | undefined {
    const since = this.#since
    if (since === undefined) return this.#last
    const elapsedMs = now - since
    if (this.#last !== undefined && elapsedMs < SHORTEST_MS) return this.#last
    return (this.#bytes * 1000) / Math.max(elapsedMs, 1)
  }

  #roll(now: number, next: number | undefined): void {
    if (this.#since !== undefined) {
      const elapsedMs = now - this.#since
      this.#last = (this.#bytes * 1000) / Math.max(elapsedMs, 1)
    }
    this.#bytes = 0
    this.#since = next
  }
}

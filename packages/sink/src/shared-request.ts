import { unlessAborted } from './unless-aborted.ts'

/** A request that several wait for: it is aborted when none of them waits any more. */
export class SharedRequest<T> {
  readonly #result: Promise<T>
  readonly #abandon = new AbortController()
  #waiting = 0

  constructor(run: (signal: AbortSignal) => Promise<T>) {
    this.#result = run(this.#abandon.signal)
    // Those who wait hear of it; nobody else has to.
    this.#result.catch(() => undefined)
  }

  /** Whether all who waited for it have what they wanted, or have given up: it is not for anybody new. */
  get isOver(): boolean {
    return this.#abandon.signal.aborted
  }

  /** When it has ended, well or not. */
  get over(): Promise<void> {
    const nothing = () => undefined
    return this.#result.then(nothing, nothing)
  }

  async wait(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting++
    try {
      return await unlessAborted(this.#result, signal)
    } finally {
      this.#waiting--
      if (this.#waiting === 0) this.#abandon.abort()
    }
  }
}

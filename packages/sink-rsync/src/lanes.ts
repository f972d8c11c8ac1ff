/** So many at a time, in the order in which they came. Fewer, once the server has shown that it takes one at a time. */
export class Lanes {
  #lanes: number
  #used = 0
  readonly #waiting: (() => void)[] = []

  constructor(lanes: number) {
    this.#lanes = lanes
  }

  /** From now on one at a time. */
  narrow(): void {
    this.#lanes = 1
  }

  /** @throws the signal's reason */
  async use<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      return await work()
    } finally {
      this.#used--
      this.#next()
    }
  }

  async #enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const at = this.#waiting.indexOf(resolve)
      if (at === -1) return
      this.#waiting.splice(at, 1)
      reject(signal?.reason)
    }
    this.#waiting.push(resolve)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#next()
    await promise.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  #next(): void {
    while (this.#used < this.#lanes) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#used++
      next()
    }
  }
}

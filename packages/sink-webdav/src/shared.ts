interface Making<T> {
  readonly promise: Promise<T>
  readonly abandon: AbortController
  waiting: number
}

/** Something that is made once, by the first who wants it; a failure is for those who wait, and the next tries again. */
export class Shared<T> {
  readonly #make: (signal: AbortSignal) => Promise<T>
  #making: Making<T> | undefined

  /** @param make - its signal fires when nobody waits for it any more */
  constructor(make: (signal: AbortSignal) => Promise<T>) {
    this.#make = make
  }

  async get(signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    const making = (this.#making ??= this.#begin())
    making.waiting++
    const aborted = Promise.withResolvers<never>()
    const onAbort = () => aborted.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    let isMade = false
    try {
      const made = await Promise.race([making.promise, aborted.promise])
      isMade = true
      return made
    } finally {
      signal?.removeEventListener('abort', onAbort)
      if (--making.waiting === 0 && !isMade) {
        this.#forget(making)
        making.abandon.abort()
      }
    }
  }

  #begin(): Making<T> {
    const abandon = new AbortController()
    const making = { promise: this.#make(abandon.signal), abandon, waiting: 0 }
    making.promise.catch(() => this.#forget(making))
    return making
  }

  #forget(making: Making<T>): void {
    if (this.#making === making) this.#making = undefined
  }
}

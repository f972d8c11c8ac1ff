/** Work that must not overlap, by key: each waits for those before it. */
export class KeyLock {
  readonly #last = new Map<string, Promise<void>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const mine = Promise.withResolvers<void>()
    this.#last.set(key, mine.promise)
    try {
      await before
      return await work()
    } finally {
      if (this.#last.get(key) === mine.promise) this.#last.delete(key)
      mine.resolve()
    }
  }
}

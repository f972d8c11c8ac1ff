/** Pieces handed from who writes to who reads, one at a time: nothing is kept between. */
export class Feed implements AsyncIterable<Uint8Array> {
  #wanted = Promise.withResolvers<void>()
  #given = Promise.withResolvers<Uint8Array | undefined>()
  #failed: { readonly error: unknown } | undefined

  /** Resolves when the reader has done with the bytes. @throws what `fail` was given */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failed) throw this.#failed.error
    const done = this.#wanted.promise
    this.#given.resolve(bytes)
    await done
  }

  end(): void {
    this.#given.resolve(undefined)
  }

  /** The reader has gone. */
  fail(error: unknown): void {
    this.#failed = { error }
    this.#wanted.promise.catch(() => undefined)
    this.#wanted.reject(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = await this.#given.promise
      if (!bytes) return
      yield bytes
      const { resolve } = this.#wanted
      this.#wanted = Promise.withResolvers()
      this.#given = Promise.withResolvers()
      resolve()
    }
  }
}

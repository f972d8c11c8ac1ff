import { SharedRequest } from '@pipe-backup/sink'

/** Something that is made once, by the first who wants it; a failure is for those who wait, and the next tries again. */
export class Shared<T> {
  readonly #make: (signal: AbortSignal) => Promise<T>
  #making: SharedRequest<T> | undefined
  #made: { readonly value: T } | undefined

  /** @param make - its signal fires when nobody waits for it any more */
  constructor(make: (signal: AbortSignal) => Promise<T>) {
    this.#make = make
  }

  async get(signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    if (this.#made) return this.#made.value
    if (this.#making?.isOver !== false) this.#making = new SharedRequest(this.#make)
    this.#made = { value: await this.#making.wait(signal) }
    return this.#made.value
  }
}

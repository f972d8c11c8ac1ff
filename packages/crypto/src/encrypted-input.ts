import { ByteQueue } from './byte-queue.ts'

/**
 * Gives the bytes of an encrypted stream from `offset` on. Called again, with what went wrong, when those that it gave ended early, failed or
 * were damaged: it gives another copy, or throws.
 */
export type OpenAt = (offset: number, error?: Error) => Promise<AsyncIterable<Uint8Array>>

/** The bytes of an encrypted stream, taken in steps: one that fails is tried again on the next copy. */
export class EncryptedInput {
  readonly #open: OpenAt
  #copy: AsyncIterator<Uint8Array> | undefined
  #queue = new ByteQueue()
  #ended = false
  /** How much was taken by steps that succeeded. */
  #taken = 0
  #takenByStep = 0

  constructor(open: OpenAt) {
    this.#open = open
  }

  /** Runs a step that reads by `upTo`, until it succeeds. @throws what `open` throws when there is no other copy */
  async take<T>(step: () => Promise<T>): Promise<T> {
    let error: Error | undefined
    for (;;) {
      if (error || !this.#copy) await this.#reopen(error)
      this.#takenByStep = 0
      try {
        const result = await step()
        this.#taken += this.#takenByStep
        return result
      } catch (reason) {
        error = reason instanceof Error ? reason : new Error(String(reason))
      }
    }
  }

  /** @returns so many bytes, fewer only at the end; good until the next call */
  async upTo(bytes: number): Promise<Uint8Array> {
    while (!this.#ended && this.#queue.length < bytes) {
      const next = await this.#copy?.next()
      if (!next || next.done) this.#ended = true
      else this.#queue.push(next.value)
    }
    const taken = this.#queue.take(Math.min(bytes, this.#queue.length))
    this.#takenByStep += taken.length
    return taken
  }

  /** Lets the copy go that is being read. */
  async close(): Promise<void> {
    const copy = this.#copy
    this.#copy = undefined
    // It may have failed already, which is known then.
    await copy?.return?.().catch(() => undefined)
  }

  async #reopen(error: Error | undefined): Promise<void> {
    await this.close()
    this.#queue = new ByteQueue()
    this.#ended = false
    this.#copy = (await this.#open(this.#taken, error))[Symbol.asyncIterator]()
  }
}

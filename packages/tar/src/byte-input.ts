import { Readable } from 'node:stream'

const NOTHING = new Uint8Array()

/**
 * The bytes of a stream, taken in lengths of the reader's choosing. Holds one piece of the source, and copies only what spans two.
 * What is at hand is given at once: an archive of small entries is read without a promise for each.
 */
export class ByteInput {
  readonly #source: AsyncIterable<Uint8Array>
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #signal: AbortSignal | undefined
  #piece: Uint8Array = NOTHING
  #at = 0
  #ended = false
  #pulling: Promise<boolean> | undefined
  /** How many bytes have been taken. */
  position = 0

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.#source = source
    this.#pieces = source[Symbol.asyncIterator]()
    this.#signal = signal
  }

  /** The next bytes without a copy, good until the next call; undefined when they are not all at hand. */
  takeAtHand(bytes: number): Uint8Array | undefined {
    if (this.#piece.length - this.#at < bytes) return undefined
    const taken = this.#piece.subarray(this.#at, this.#at + bytes)
    this.#advance(bytes)
    return taken
  }

  /** The next bytes; fewer only at the end. For bounded lengths alone: they are held in memory. */
  async take(bytes: number): Promise<Uint8Array> {
    const whole = this.takeAtHand(bytes)
    if (whole) return whole
    const gathered = new Uint8Array(bytes)
    let filled = 0
    while (filled < bytes) {
      const got = this.readAtHand(gathered.subarray(filled))
      filled += got
      if (got === 0 && !(await this.more())) break
    }
    return gathered.subarray(0, filled)
  }

  /** Fills `into` from its start with what is at hand; returns how many bytes that is, perhaps none. */
  readAtHand(into: Uint8Array): number {
    const bytes = Math.min(into.length, this.#piece.length - this.#at)
    if (bytes === 0) return 0
    into.set(this.#piece.subarray(this.#at, this.#at + bytes))
    this.#advance(bytes)
    return bytes
  }

  /** Waits until at least one byte is at hand. @returns false at the end */
  async more(): Promise<boolean> {
    if (this.#at < this.#piece.length) return true
    // A reader that was left in the middle may still be waiting for the same piece.
    this.#pulling ??= this.#pull().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  /** Passes over bytes. @returns how many: fewer only at the end */
  async skip(bytes: number): Promise<number> {
    let left = bytes
    while (left > 0) {
      const some = Math.min(left, this.#piece.length - this.#at)
      this.#advance(some)
      left -= some
      if (left > 0 && !(await this.more())) break
    }
    return bytes - left
  }

  /** Reads all that is left, piece by piece. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.more()) {
      const piece = this.#piece.subarray(this.#at)
      this.#advance(piece.length)
      yield piece
    }
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#piece = NOTHING
    this.#at = 0
    if (this.#source instanceof Readable) this.#source.destroy()
    // A generator that is waiting answers only when that has ended, which an abort must not wait for.
    const returned = this.#pieces.return?.()
    if (!this.#pulling && !this.#signal?.aborted) await returned
    else returned?.catch(() => undefined)
  }

  #advance(bytes: number): void {
    this.#at += bytes
    this.position += bytes
  }

  async #pull(): Promise<boolean> {
    for (;;) {
      this.#signal?.throwIfAborted()
      if (this.#ended) return false
      const step = await this.#next()
      if (step.done) {
        this.#ended = true
        return false
      }
      if (!(step.value instanceof Uint8Array))
        throw new TypeError('a tar archive must come as bytes: the source gives something else')
      if (step.value.length === 0) continue
      this.#piece = step.value
      this.#at = 0
      return true
    }
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    const signal = this.#signal
    if (!signal) return this.#pieces.next()
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      this.#pieces
        .next()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort))
    })
  }
}

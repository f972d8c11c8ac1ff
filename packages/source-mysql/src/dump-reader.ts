import type { EntryReader, Reading } from '@pipe-backup/source'
import type { DumpRewriter } from './dump-rewriter.ts'

const PIECE_BYTES = 64 * 1024

/** One run of a dump program, what it writes rewritten on the way. */
export class DumpReader implements EntryReader {
  readonly #inner: EntryReader
  readonly #rewriter: DumpRewriter
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  #ready: Uint8Array[] = []
  readonly #explain: (error: unknown) => unknown
  #isOver = false

  /** @param explain - gives the error that is thrown for one of the program's */
  constructor(inner: EntryReader, rewriter: DumpRewriter, explain: (error: unknown) => unknown) {
    this.#inner = inner
    this.#rewriter = rewriter
    this.#explain = explain
  }

  read(into: Uint8Array): number | Promise<number> {
    return this.#ready.length > 0 ? this.#copy(into) : this.#next(into)
  }

  async #next(into: Uint8Array): Promise<number> {
    while (this.#ready.length === 0) {
      if (this.#isOver) return 0
      const got = await this.#inner.read(this.#piece)
      this.#isOver = got === 0
      this.#ready = this.#isOver ? this.#rewriter.end() : this.#rewriter.push(this.#piece.subarray(0, got))
    }
    return this.#copy(into)
  }

  #copy(into: Uint8Array): number {
    let filled = 0
    for (let first = this.#ready[0]; first && filled < into.length; first = this.#ready[0]) {
      const length = Math.min(into.length - filled, first.length)
      into.set(first.subarray(0, length), filled)
      filled += length
      if (length === first.length) this.#ready.shift()
      else this.#ready[0] = first.subarray(length)
    }
    return filled
  }

  async finish(): Promise<Reading> {
    try {
      return await this.#inner.finish()
    } catch (error) {
      throw this.#explain(error)
    }
  }

  close(): void | Promise<void> {
    return this.#inner.close()
  }
}

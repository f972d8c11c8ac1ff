import { type EntryReader, type Reading, SourceError } from '@pipe-backup/source'
import type { DumpRewriter } from './dump-rewriter.ts'

const PIECE_BYTES = 64 * 1024

/** One run of a dump program, what it writes rewritten on the way. */
export class DumpReader implements EntryReader {
  readonly #inner: EntryReader
  readonly #rewriter: DumpRewriter
  readonly #toFailure: (error: unknown) => unknown
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
  #ready: Uint8Array[] = []
  #isOver = false

  /** @param toFailure - what is thrown for what the program's own reader has thrown */
  constructor(inner: EntryReader, rewriter: DumpRewriter, toFailure: (error: unknown) => unknown) {
    this.#inner = inner
    this.#rewriter = rewriter
    this.#toFailure = toFailure
  }

  read(into: Uint8Array): number | Promise<number> {
    return this.#ready.length > 0 ? this.#copy(into) : this.#next(into)
  }

  async #next(into: Uint8Array): Promise<number> {
    while (this.#ready.length === 0) {
      if (this.#isOver) return 0
      const got = await this.#watched(() => this.#inner.read(this.#piece))
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

  finish(): Promise<Reading> {
    return this.#watched(() => this.#inner.finish())
  }

  close(): void | Promise<void> {
    return this.#inner.close()
  }

  async #watched<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#toFailure(error)
    }
  }
}

/**
 * What failed is this database alone, and the others are still to be had: `unreadable`, as the source that can't go on would be
 * `command-failed`. Everything but a dump's own failure stays as it is.
 */
export function ofThisEntryAlone(error: unknown): unknown {
  if (!(error instanceof SourceError)) return error
  const { code, message, path, hint } = error
  if (code !== 'command-failed' && code !== 'truncated') return error
  return new SourceError('unreadable', message, {
    cause: error,
    path,
    hint,
  })
}

import { Writable } from 'node:stream'
import { pieces } from './pieces.ts'
import type { SinkOptions } from './sink.ts'
import { toError } from './to-error.ts'
import { unlessAborted } from './unless-aborted.ts'

/** What is to be stored. */
export interface UploadBody {
  /** All of it, where it is in memory: `pieces` may then be called again. */
  readonly bytes?: Uint8Array | undefined
  /**
   * In pieces of 256 KiB at most, each reported to onBytes before it is given out. Of a stream the memory of a piece is used again when the next
   * is asked for.
   */
  readonly pieces: () => AsyncIterable<Uint8Array>
  /** The same, without reports: for a sink that gathers the bytes first, and reports them by `pieces` of its own when they go out. */
  readonly unwatched: () => AsyncIterable<Uint8Array>
}

/** Bytes in memory, to be stored. */
export function bodyOf(bytes: Uint8Array, options: SinkOptions): UploadBody {
  const { signal } = options
  return { bytes, pieces: () => pieces(bytes, options), unwatched: () => pieces(bytes, { signal }) }
}

export interface UploadWritableOptions extends SinkOptions {
  /** A stream that has ended by then is uploaded from memory. */
  readonly heldBytes: number
  /** @param signal - fires when the stream is destroyed; what it has begun is undone when it rejects */
  readonly upload: (body: UploadBody, signal: AbortSignal) => Promise<void>
  readonly translate: (cause: unknown) => unknown
}

/** A stream into an upload that takes its bytes by itself: handed over one at a time, nothing is kept between. */
export class UploadWritable extends Writable {
  readonly #options: UploadWritableOptions
  readonly #destroyed = new AbortController()
  readonly #signal: AbortSignal
  /** Until it is known whether there will be more. Copied: who writes may use its memory again. */
  #held: Buffer[] = []
  #heldBytes = 0
  #handover = new Handover()
  #uploading: Promise<void> | undefined

  constructor(options: UploadWritableOptions) {
    const { signal } = options
    super({ highWaterMark: 1024 * 1024, signal })
    this.#options = options
    this.#signal = signal ? AbortSignal.any([signal, this.#destroyed.signal]) : this.#destroyed.signal
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(async () => {
      if (!this.#uploading && this.#heldBytes + bytes.length <= this.#options.heldBytes) {
        this.#held.push(Buffer.from(bytes))
        this.#heldBytes += bytes.length
        return
      }
      this.#uploading ??= this.#begin()
      await this.#handover.give(bytes)
    }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      if (this.#uploading) this.#handover.end()
      else {
        const bytes = Buffer.concat(this.#held.splice(0))
        const watched = { onBytes: this.#options.onBytes, signal: this.#signal }
        this.#uploading = this.#options.upload(bodyOf(bytes, watched), this.#signal)
      }
      await this.#uploading
    }, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#destroyed.abort(error ?? new Error('the stream was destroyed'))
    this.#held = []
    const over = () => done(error)
    // What it leaves behind is being undone: the caller may look for it at the end of the stream.
    ;(this.#uploading ?? Promise.resolve()).then(over, over)
  }

  #begin(): Promise<void> {
    const watched = { onBytes: this.#options.onBytes, signal: this.#signal }
    const body = { pieces: () => this.#all(watched), unwatched: () => this.#all({ signal: this.#signal }) }
    const uploading = this.#options.upload(body, this.#signal)
    uploading.then(
      () => this.#handover.stop(new Error('the upload ended before the stream')),
      (cause: unknown) => {
        this.#handover.stop(cause)
        // Also when no more comes for a while.
        this.destroy(this.#toError(cause))
      },
    )
    return uploading
  }

  async *#all(watched: SinkOptions): AsyncGenerator<Uint8Array> {
    for (const bytes of this.#held.splice(0)) yield* pieces(bytes, watched)
    for await (const bytes of this.#handover.taken(this.#signal)) yield* pieces(bytes, watched)
  }

  #run(work: () => Promise<void>, done: (error?: Error | null) => void): void {
    work().then(
      () => done(),
      (cause: unknown) => done(this.#toError(cause)),
    )
  }

  #toError(cause: unknown): Error {
    const error = this.#options.translate(cause)
    return toError(error)
  }
}

/** Bytes from who writes to who reads, one piece at a time. */
class Handover {
  #given = Promise.withResolvers<Uint8Array | undefined>()
  #done: PromiseWithResolvers<void> | undefined
  #stopped: { readonly why: unknown } | undefined

  /** Resolves when the reader asks for the next. @throws what it was stopped with */
  async give(bytes: Uint8Array): Promise<void> {
    if (this.#stopped) throw this.#stopped.why
    this.#done = Promise.withResolvers()
    this.#given.resolve(bytes)
    await this.#done.promise
  }

  /** The reader takes no more. Not by a race against its end: each piece would leave something behind that waits for that. */
  stop(why: unknown): void {
    this.#stopped = { why }
    this.#done?.reject(why)
  }

  end(): void {
    this.#given.resolve(undefined)
  }

  /** @throws the signal's reason */
  async *taken(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = await unlessAborted(this.#given.promise, signal)
      if (!bytes) return
      this.#given = Promise.withResolvers()
      yield bytes
      this.#done?.resolve()
      this.#done = undefined
    }
  }
}

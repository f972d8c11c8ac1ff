import { Writable } from 'node:stream'
import { PIECE_BYTES, type UploadSession } from './upload-session.ts'

export interface UploadWritableOptions {
  readonly signal?: AbortSignal | undefined
  /** A session for a stream that is longer than a piece; the signal fires when the stream is destroyed. */
  readonly session: (signal: AbortSignal) => UploadSession
  /** Commits what the session has. */
  readonly finish: (session: UploadSession) => Promise<void>
  /** Stores a stream that fits into one piece. */
  readonly store: (bytes: Uint8Array, signal: AbortSignal) => Promise<void>
  readonly translate: (error: unknown) => unknown
}

/**
 * A stream into an upload session: one piece is on its way while the next one gathers, so two are all it holds.
 * The file shows at `finish`; a destroyed stream leaves a session that Dropbox forgets.
 */
export class UploadWritable extends Writable {
  readonly #options: UploadWritableOptions
  readonly #destroyed = new AbortController()
  #session: UploadSession | undefined
  #buffers: Uint8Array[] = []
  #gathering: Uint8Array | undefined
  #gathered = 0
  #sending: Promise<void> = Promise.resolve()

  constructor(options: UploadWritableOptions) {
    super({ highWaterMark: 1024 * 1024, ...(options.signal && { signal: options.signal }) })
    this.#options = options
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(() => this.#take(bytes), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#run(() => this.#finish(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#destroyed.abort(error ?? undefined)
    this.#buffers = []
    this.#gathering = undefined
    this.#sending.then(
      () => done(error),
      () => done(error),
    )
  }

  async #take(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      // A full piece waits for the byte after it: the last one closes the session.
      if (this.#gathered === PIECE_BYTES) await this.#send()
      const piece = (this.#gathering ??= this.#buffers.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES))
      const part = bytes.subarray(at, at + PIECE_BYTES - this.#gathered)
      piece.set(part, this.#gathered)
      this.#gathered += part.length
      at += part.length
    }
  }

  /** Hands the full piece over, once the one before has arrived. */
  async #send(): Promise<void> {
    await this.#sending
    const piece = this.#gathering
    if (!piece) return
    const session = (this.#session ??= this.#options.session(this.#destroyed.signal))
    this.#gathering = undefined
    this.#gathered = 0
    this.#sending = session.add(piece, false).then(() => {
      this.#buffers.push(piece)
    })
    // It is the next piece, or the end, that hears of a failure.
    this.#sending.catch(() => undefined)
  }

  async #finish(): Promise<void> {
    const rest = this.#gathering?.subarray(0, this.#gathered) ?? new Uint8Array()
    const session = this.#session
    if (!session) {
      this.#sending = this.#options.store(rest, this.#destroyed.signal)
      return this.#sending
    }
    await this.#sending
    this.#sending = session.add(rest, true).then(() => this.#options.finish(session))
    return this.#sending
  }

  #run(work: () => Promise<void>, done: (error?: Error | null) => void): void {
    work().then(
      () => done(),
      (cause: unknown) => {
        const error = this.#options.translate(cause)
        done(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }
}

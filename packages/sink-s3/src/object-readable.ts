import { Readable } from 'node:stream'
import { SinkError, type SinkOptions } from '@pipe-backup/sink'

export interface ObjectReadableOptions extends SinkOptions {
  /** How many bytes there must be. */
  readonly sizeBytes: number
  readonly sink: string
  readonly key: string
  translate(error: unknown): unknown
}

/** An object's bytes as they come in: as many as were announced, or an error. */
export class ObjectReadable extends Readable {
  readonly #body: Readable
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #options: ObjectReadableOptions
  #got = 0

  constructor(body: Readable, options: ObjectReadableOptions) {
    super({ highWaterMark: 1024 * 1024 })
    this.#body = body
    this.#pieces = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    this.#options = options
  }

  override _read(): void {
    this.#next().then(
      (piece) => this.push(piece),
      (cause: unknown) => {
        const { signal } = this.#options
        const error: unknown = signal?.aborted ? signal.reason : this.#options.translate(cause)
        this.destroy(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  /** The connection goes with it: a reader that was given up holds nothing up. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#body.destroy()
    done(error)
  }

  async #next(): Promise<Uint8Array | null> {
    const { sizeBytes, sink, key, onBytes, signal } = this.#options
    const step = await this.#pieces.next()
    if (step.done) {
      if (this.#got === sizeBytes) return null
      throw new SinkError('unreachable', `ended after ${this.#got} of ${sizeBytes} bytes`, { sink, key })
    }
    const { value } = step
    this.#got += value.length
    if (this.#got > sizeBytes)
      throw new SinkError('protocol', `is longer than announced: ${sizeBytes} bytes`, { sink, key })
    await onBytes?.(value.length)
    signal?.throwIfAborted()
    return value
  }
}

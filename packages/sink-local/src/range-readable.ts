import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { SinkOptions } from '@pipe-backup/sink'

/** Bytes of an open file. */
export interface FileRange {
  readonly file: FileHandle
  readonly from: number
  readonly length: number
}

export interface RangeReadableOptions extends SinkOptions {
  /** The error of a file that has fewer bytes than it had. */
  short(): Error
  translate(error: unknown): unknown
}

const READ_BYTES = 1024 * 1024
export const WATCHED_READ_BYTES: number = 256 * 1024

/** As many bytes as there were when the file was opened, or an error; the file is closed with it. */
export class RangeReadable extends Readable {
  readonly #file: FileHandle
  readonly #options: RangeReadableOptions
  readonly #to: number
  #at: number
  #reading: Promise<unknown> = Promise.resolve()

  constructor({ file, from, length }: FileRange, options: RangeReadableOptions) {
    super({ highWaterMark: READ_BYTES, ...(options.signal && { signal: options.signal }) })
    this.#file = file
    this.#options = options
    this.#at = from
    this.#to = from + length
  }

  override _read(): void {
    const reading = this.#next()
    this.#reading = reading.catch(() => undefined)
    reading.then(
      (piece) => this.push(piece),
      (cause: unknown) => {
        const error = this.#options.translate(cause)
        this.destroy(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Not before the read that is under way: its number may be another file's by then.
    const close = async (): Promise<void> => {
      await this.#reading
      await this.#file.close()
    }
    close().then(
      () => done(error),
      () => done(error),
    )
  }

  async #next(): Promise<Uint8Array | null> {
    const { onBytes } = this.#options
    const length = Math.min(onBytes ? WATCHED_READ_BYTES : READ_BYTES, this.#to - this.#at)
    if (length === 0) return null
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafeSlow(length), 0, length, this.#at)
    if (bytesRead === 0) throw this.#options.short()
    this.#at += bytesRead
    await onBytes?.(bytesRead)
    return buffer.subarray(0, bytesRead)
  }
}

import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import { ContentHash } from './content-hash.ts'

export interface CheckedBodyOptions extends SinkOptions {
  readonly sink: string
  readonly key: string
  readonly sizeBytes: number
  /** Of all the bytes, when all of them come. */
  readonly contentHash: string | undefined
  readonly translate: (error: unknown) => unknown
}

/** Hands on a download's bytes; ends only when they are as many, and those, that Dropbox has said they are. */
export class CheckedBody extends Transform {
  readonly #options: CheckedBodyOptions
  readonly #hash: ContentHash | undefined
  #left: number

  constructor(options: CheckedBodyOptions) {
    super({ highWaterMark: 1024 * 1024, ...(options.signal && { signal: options.signal }) })
    this.#options = options
    this.#left = options.sizeBytes
    if (options.contentHash !== undefined) this.#hash = new ContentHash()
  }

  override _transform(
    bytes: Buffer,
    _encoding: string,
    done: (error?: Error | null, data?: unknown) => void,
  ): void {
    this.#left -= bytes.length
    this.#hash?.update(bytes)
    const held = this.#left < 0 ? undefined : this.#options.onBytes?.(bytes.length)
    if (this.#left < 0) done(this.#error('protocol', 'sent more bytes than it has'))
    else if (held) held.then(() => done(null, bytes), done)
    else done(null, bytes)
  }

  override _flush(done: (error?: Error | null) => void): void {
    if (this.#left > 0) done(this.#error('unreachable', `ended ${this.#left} bytes early`))
    else if (this.#hash && this.#hash.digest() !== this.#options.contentHash)
      done(this.#error('corrupt', 'has other bytes than were stored'))
    else done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const translated = error && this.#options.translate(error)
    done(translated instanceof Error ? translated : error)
  }

  #error(code: 'protocol' | 'unreachable' | 'corrupt', what: string): SinkError {
    const { sink, key } = this.#options
    return new SinkError(code, what, { sink, key })
  }
}

/** The part of a file that an answer brings: its first byte, one past its last, and how long the file is. */
export function rangeOf(
  response: IncomingMessage,
): { from: number; end: number; sizeBytes: number } | undefined {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers['content-range'] ?? '')
  return range
    ? { from: Number(range[1]), end: Number(range[2]) + 1, sizeBytes: Number(range[3]) }
    : undefined
}

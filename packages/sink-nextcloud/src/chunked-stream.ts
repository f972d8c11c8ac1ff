import { createHash, type Hash } from 'node:crypto'
import type { PutOptions } from '@pipe-backup/sink'
import { SinkError } from '@pipe-backup/sink'
import type { StreamUpload, UploadTo } from '@pipe-backup/sink-webdav'
import { ChunkedUpload } from './chunked-upload.ts'
import type { UploadSettings } from './upload-settings.ts'

/** Of a server without chunks, in bytes: what a stream may have, for it is all in memory. */
const UNCHUNKED_BYTES = 64 * 1024 * 1024
/** After so many chunks they become twice as large, so that 10,000 of them hold more. */
const GROWS_AFTER = 1000

/** Sends bytes in one request. */
type PutWhole = (to: UploadTo, bytes: Uint8Array, sha256: string, options: PutOptions) => Promise<void>

/** A stream of unknown length: one chunk of it is in memory. What ends within the first goes in one request. */
export class ChunkedStream implements StreamUpload {
  readonly #settings: UploadSettings
  readonly #putWhole: PutWhole
  readonly #to: UploadTo
  readonly #options: PutOptions
  readonly #given = new AbortController()
  readonly #hash: Hash = createHash('sha256')
  readonly #upload: ChunkedUpload
  #chunk: Buffer
  #filled = 0
  #sizeBytes = 0

  constructor(settings: UploadSettings, putWhole: PutWhole, to: UploadTo, options: PutOptions) {
    const { signal } = options
    this.#settings = settings
    this.#putWhole = putWhole
    this.#to = to
    this.#options = {
      ...options,
      signal: signal ? AbortSignal.any([signal, this.#given.signal]) : this.#given.signal,
    }
    this.#upload = new ChunkedUpload(settings, to, this.#options)
    this.#chunk = Buffer.allocUnsafeSlow(settings.chunkBytes ?? UNCHUNKED_BYTES)
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.#sizeBytes += bytes.length
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === this.#chunk.length) await this.#send()
      const piece = bytes.subarray(at, at + this.#chunk.length - this.#filled)
      this.#chunk.set(piece, this.#filled)
      this.#filled += piece.length
      at += piece.length
    }
  }

  async end(): Promise<number> {
    const sha256 = this.#hash.digest('hex')
    const rest = this.#chunk.subarray(0, this.#filled)
    if (this.#upload.count === 0) await this.#putWhole(this.#to, rest, sha256, this.#options)
    else {
      await this.#upload.send(rest)
      await this.#upload.assemble(sha256)
    }
    return this.#sizeBytes
  }

  async abort(failure?: unknown): Promise<void> {
    this.#given.abort(new Error('the stream was destroyed'))
    await this.#upload.abort(failure)
  }

  async #send(): Promise<void> {
    const { chunkBytes, mostChunkBytes, files } = this.#settings
    if (chunkBytes === undefined) {
      const what = `the server knows no chunks, and so no streams of more than ${UNCHUNKED_BYTES} bytes`
      throw new SinkError('too-large', what, { sink: files.sink, key: this.#to.key })
    }
    await this.#upload.send(this.#chunk)
    this.#filled = 0
    const size = Math.min(mostChunkBytes, chunkBytes * 2 ** Math.floor(this.#upload.count / GROWS_AFTER))
    if (size > this.#chunk.length) this.#chunk = Buffer.allocUnsafeSlow(size)
  }
}

import { createHash } from 'node:crypto'
import { type PutOptions, pieces, SinkError, type UploadBody } from '@pipe-backup/sink'
import { finish, type Uploads, type UploadTo } from '@pipe-backup/sink-webdav'
import { checkArrival, hashHeaders } from './arrival.ts'
import { ChunkedUpload } from './chunked-upload.ts'
import type { UploadSettings } from './upload-settings.ts'

/** Of a server without chunks, in bytes: what a stream may have, for it is all in memory. */
const UNCHUNKED_BYTES = 64 * 1024 * 1024
/** After so many chunks they become twice as large, so that 10,000 of them hold more. */
const GROWS_AFTER = 1000

/** One PUT for what is small, chunks for what is large. The server says what it has received, or it is read back. */
export class NextcloudUploads implements Uploads {
  readonly #settings: UploadSettings

  constructor(settings: UploadSettings) {
    this.#settings = settings
  }

  async upload(to: UploadTo, body: UploadBody, options: PutOptions): Promise<number> {
    const { chunkBytes } = this.#settings
    const { bytes } = body
    if (!bytes) return await this.#uploadStream(to, body, options)
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex')
    if (chunkBytes === undefined || bytes.length <= chunkBytes)
      await this.#putWhole(to, bytes, sha256, options)
    else
      await this.#inChunks(to, options, bytes.length, async (upload) => {
        for (let at = 0; at < bytes.length; at += chunkBytes)
          await upload.send(bytes.subarray(at, at + chunkBytes))
        return sha256
      })
    return bytes.length
  }

  /** Of unknown length: one chunk of it is in memory. What ends within the first goes in one request. */
  async #uploadStream(to: UploadTo, body: UploadBody, options: PutOptions): Promise<number> {
    const { chunkBytes, maxChunkBytes, files } = this.#settings
    const hash = createHash('sha256')
    let sizeBytes = 0
    let filled = 0
    let chunk = Buffer.allocUnsafeSlow(chunkBytes ?? UNCHUNKED_BYTES)
    await this.#inChunks(to, options, undefined, async (upload) => {
      const send = async (): Promise<void> => {
        if (chunkBytes === undefined) {
          const what = `the server knows no chunks, and so no streams of more than ${UNCHUNKED_BYTES} bytes`
          throw new SinkError('too-large', what, { sink: files.sink, key: to.key })
        }
        await upload.send(chunk)
        filled = 0
        const size = Math.min(maxChunkBytes, chunkBytes * 2 ** Math.floor(upload.count / GROWS_AFTER))
        if (size > chunk.length) chunk = Buffer.allocUnsafeSlow(size)
      }
      for await (const bytes of body.unwatched()) {
        hash.update(bytes)
        sizeBytes += bytes.length
        for (let at = 0; at < bytes.length; ) {
          if (filled === chunk.length) await send()
          const piece = bytes.subarray(at, at + chunk.length - filled)
          chunk.set(piece, filled)
          filled += piece.length
          at += piece.length
        }
      }
      const sha256 = hash.digest('hex')
      const rest = chunk.subarray(0, filled)
      if (upload.count > 0) await upload.send(rest)
      else await this.#putWhole(to, rest, sha256, options)
      return sha256
    })
    return sizeBytes
  }

  /** @param send - sends the chunks, if there are to be any, and gives the SHA-256 of them all */
  async #inChunks(
    to: UploadTo,
    options: PutOptions,
    sizeBytes: number | undefined,
    send: (upload: ChunkedUpload) => Promise<string>,
  ): Promise<void> {
    const upload = new ChunkedUpload(this.#settings, to, options, sizeBytes)
    try {
      const sha256 = await send(upload)
      if (upload.count > 0) await upload.assemble(sha256)
    } catch (error) {
      await upload.abort(error)
      throw error
    }
  }

  async #putWhole(to: UploadTo, bytes: Uint8Array, sha256: string, options: PutOptions): Promise<void> {
    const { files } = this.#settings
    const about = { key: to.key, signal: options.signal }
    const body = { pieces: () => pieces(bytes, options), sizeBytes: bytes.length }
    const answer = await files.put(to.path, body, { ...about, headers: hashHeaders(sha256) })
    if (answer.status !== 201 && answer.status !== 204) throw await files.error(answer, about)
    await finish(answer)
    await checkArrival(files, to, answer, { sizeBytes: bytes.length, sha256 }, options)
  }
}

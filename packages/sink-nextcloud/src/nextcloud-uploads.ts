import { createHash } from 'node:crypto'
import { type PutOptions, pieces } from '@pipe-backup/sink'
import { finish, type StreamUpload, type Uploads, type UploadTo } from '@pipe-backup/sink-webdav'
import { checkArrival, hashHeaders } from './arrival.ts'
import { ChunkedStream } from './chunked-stream.ts'
import { ChunkedUpload } from './chunked-upload.ts'
import type { UploadSettings } from './upload-settings.ts'

/** One PUT for what is small, chunks for what is large. The server says what it has received, or it is read back. */
export class NextcloudUploads implements Uploads {
  readonly #settings: UploadSettings

  constructor(settings: UploadSettings) {
    this.#settings = settings
  }

  async put(to: UploadTo, bytes: Uint8Array, options: PutOptions): Promise<void> {
    const { chunkBytes } = this.#settings
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex')
    if (chunkBytes === undefined || bytes.length <= chunkBytes)
      return this.#putWhole(to, bytes, sha256, options)
    const upload = new ChunkedUpload(this.#settings, to, options, bytes.length)
    try {
      for (let at = 0; at < bytes.length; at += chunkBytes)
        await upload.send(bytes.subarray(at, at + chunkBytes))
      await upload.assemble(sha256)
    } catch (error) {
      await upload.abort(error)
      throw error
    }
  }

  stream(to: UploadTo, options: PutOptions): StreamUpload {
    return new ChunkedStream(this.#settings, this.#putWhole.bind(this), to, options)
  }

  async #putWhole(to: UploadTo, bytes: Uint8Array, sha256: string, options: PutOptions): Promise<void> {
    const { files } = this.#settings
    const about = { key: to.key, ...(options.signal && { signal: options.signal }) }
    const body = { pieces: () => pieces(bytes, options), sizeBytes: bytes.length }
    const answer = await files.put(to.path, body, { ...about, headers: hashHeaders(sha256) })
    if (answer.status !== 201 && answer.status !== 204) throw await files.error(answer, about)
    await finish(answer)
    await checkArrival(files, to, answer, { sizeBytes: bytes.length, sha256 }, options)
  }
}

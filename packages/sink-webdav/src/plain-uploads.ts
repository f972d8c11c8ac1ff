import { createHash } from 'node:crypto'
import type { HttpBody } from '@pipe-backup/http'
import type { PutOptions, UploadBody } from '@pipe-backup/sink'
import type { Dav } from './dav.ts'
import { finish } from './http-client.ts'
import { checkSize, readBack } from './read-back.ts'
import type { Uploads, UploadTo } from './uploads.ts'

/** What servers answer to a PUT that has succeeded. */
const STORED: readonly number[] = [200, 201, 204]

export interface PlainUploadsOptions {
  /** Read back what was sent. Default true; else its size is asked. */
  readonly readBack?: boolean | undefined
}

/** One PUT for each object, to any WebDAV server. It has no checksum to ask for, so what arrived is read back. */
export class PlainUploads implements Uploads {
  readonly #dav: Dav
  readonly #readsBack: boolean

  constructor(dav: Dav, { readBack: readsBack = true }: PlainUploadsOptions = {}) {
    this.#dav = dav
    this.#readsBack = readsBack
  }

  async upload(to: UploadTo, body: UploadBody, options: PutOptions): Promise<number> {
    return body.bytes
      ? await this.#uploadBytes(to, body.bytes, body, options)
      : await this.#uploadStream(to, body, options)
  }

  /** With its length, which not every server does without. */
  async #uploadBytes(
    to: UploadTo,
    bytes: Uint8Array,
    { pieces }: UploadBody,
    options: PutOptions,
  ): Promise<number> {
    await this.#put(to, { pieces, sizeBytes: bytes.length }, options)
    const hash = () => options.sha256 ?? createHash('sha256').update(bytes).digest('hex')
    await this.#check(to, bytes.length, hash, options)
    return bytes.length
  }

  async #uploadStream(to: UploadTo, body: UploadBody, options: PutOptions): Promise<number> {
    const { signal } = options
    // A server that asks for the credentials in the middle would get a stream that can't be had again.
    if (this.#dav.http.asksAgain) await this.#dav.info('', { key: to.key, signal })
    const hash = createHash('sha256')
    let sizeBytes = 0
    const measured = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of body.pieces()) {
        hash.update(piece)
        sizeBytes += piece.length
        yield piece
      }
    }
    await this.#put(to, { pieces: measured, isRewindable: false, isLent: true }, options)
    await this.#check(to, sizeBytes, () => hash.digest('hex'), options)
    return sizeBytes
  }

  async #put({ path, key }: UploadTo, body: HttpBody, { signal }: PutOptions): Promise<void> {
    const about = { key, signal }
    const headers = { 'Content-Type': 'application/octet-stream' }
    const answer = await this.#dav.put(path, body, { ...about, headers })
    if (!STORED.includes(answer.status)) throw await this.#dav.error(answer, about)
    await finish(answer)
  }

  async #check(to: UploadTo, sizeBytes: number, hash: () => string, options: PutOptions): Promise<void> {
    if (this.#readsBack) await readBack(this.#dav, to, { sizeBytes, sha256: hash() }, options)
    else await checkSize(this.#dav, to, sizeBytes, options)
  }
}

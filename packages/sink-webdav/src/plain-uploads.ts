import { createHash, type Hash } from 'node:crypto'
import { type PutOptions, pieces } from '@pipe-backup/sink'
import type { Dav, DavOptions } from './dav.ts'
import { Feed } from './feed.ts'
import { type DavBody, finish } from './http-client.ts'
import { checkSize, readBack, type Sent } from './read-back.ts'
import type { StreamUpload, Uploads, UploadTo } from './uploads.ts'

/** A stream that has ended by then is sent with its length: not every server takes one without. */
const KNOWN_LENGTH_BYTES = 8 * 1024 * 1024
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

  async put(to: UploadTo, bytes: Uint8Array, options: PutOptions): Promise<void> {
    const body = { pieces: () => pieces(bytes, options), sizeBytes: bytes.length }
    await putBody(this.#dav, to, body, options)
    await this.check(to, bytes.length, () => options.sha256 ?? sha256(bytes), options)
  }

  stream(to: UploadTo, options: PutOptions): StreamUpload {
    return new PlainStream(this.#dav, this, to, options)
  }

  async check(to: UploadTo, sizeBytes: number, hash: () => string, options: PutOptions): Promise<void> {
    if (this.#readsBack) await readBack(this.#dav, to, { sizeBytes, sha256: hash() } satisfies Sent, options)
    else await checkSize(this.#dav, to, sizeBytes, options)
  }
}

class PlainStream implements StreamUpload {
  readonly #dav: Dav
  readonly #uploads: PlainUploads
  readonly #to: UploadTo
  readonly #options: PutOptions
  readonly #given = new AbortController()
  readonly #hash: Hash = createHash('sha256')
  readonly #head: Buffer[] = []
  #sizeBytes = 0
  #feed: Feed | undefined
  #request: Promise<void> | undefined

  constructor(dav: Dav, uploads: PlainUploads, to: UploadTo, options: PutOptions) {
    const { signal } = options
    this.#dav = dav
    this.#uploads = uploads
    this.#to = to
    this.#options = {
      ...options,
      signal: signal ? AbortSignal.any([signal, this.#given.signal]) : this.#given.signal,
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.#sizeBytes += bytes.length
    if (!this.#feed && this.#sizeBytes <= KNOWN_LENGTH_BYTES) {
      // Copied: who gave them may use their memory again.
      this.#head.push(Buffer.from(bytes))
      return
    }
    const feed = this.#feed ?? (await this.#begin())
    await feed.write(bytes)
  }

  async end(): Promise<number> {
    const to = this.#to
    if (this.#feed) {
      this.#feed.end()
      await this.#request
    } else {
      const body = { pieces: () => this.#slowly(this.#head), sizeBytes: this.#sizeBytes }
      await putBody(this.#dav, to, body, this.#options)
    }
    await this.#uploads.check(to, this.#sizeBytes, () => this.#hash.digest('hex'), this.#options)
    return this.#sizeBytes
  }

  async abort(): Promise<void> {
    this.#given.abort(new Error('the stream was destroyed'))
    await this.#request?.catch(() => undefined)
  }

  async #begin(): Promise<Feed> {
    const { key } = this.#to
    // A server that asks for the credentials in the middle would get a stream that can't be had again.
    if (this.#dav.http.asksAgain) await this.#dav.info('', aboutOf(key, this.#options))
    const feed = new Feed()
    const body = { pieces: () => this.#all(feed), isRewindable: false, isLent: true }
    const request = putBody(this.#dav, this.#to, body, this.#options)
    // Who feeds it hears of it, at the next piece or at the end.
    request.catch((error: unknown) => feed.fail(error))
    this.#feed = feed
    this.#request = request
    return feed
  }

  async *#all(feed: Feed): AsyncGenerator<Uint8Array> {
    yield* this.#slowly(this.#head.splice(0))
    for await (const bytes of feed) yield* pieces(bytes, this.#options)
  }

  async *#slowly(buffers: readonly Buffer[]): AsyncGenerator<Uint8Array> {
    for (const bytes of buffers) yield* pieces(bytes, this.#options)
  }
}

async function putBody(dav: Dav, { path, key }: UploadTo, body: DavBody, options: PutOptions): Promise<void> {
  const about = aboutOf(key, options)
  const answer = await dav.put(path, body, {
    ...about,
    headers: { 'Content-Type': 'application/octet-stream' },
  })
  if (!STORED.includes(answer.status)) throw await dav.error(answer, about)
  await finish(answer)
}

function aboutOf(key: string, { signal }: PutOptions): DavOptions {
  return { key, signal }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

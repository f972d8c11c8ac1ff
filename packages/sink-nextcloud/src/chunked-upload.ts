import { createHash, randomUUID } from 'node:crypto'
import { type PutOptions, pieces, SinkError } from '@pipe-backup/sink'
import { type DavOptions, damaged, finish, type UploadTo } from '@pipe-backup/sink-webdav'
import { checkArrival, hashHeaders } from './arrival.ts'
import type { UploadSettings } from './upload-settings.ts'

/** They are numbered from 1 to this. */
const MAX_CHUNKS = 10_000
const QUOTA = '{DAV:}quota-available-bytes'
/** How long a server may take to tidy up after a failure. */
const ABORT_MS = 3000

/**
 * An object that goes in chunks, and is put together by the server: version 2 of its protocol, which is version 1 to
 * servers that know no other.
 * @see https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/chunking.html
 */
export class ChunkedUpload {
  readonly #settings: UploadSettings
  readonly #to: UploadTo
  readonly #options: PutOptions
  readonly #about: DavOptions
  readonly #totalBytes: number | undefined
  readonly #id: string = `pipe-backup-${randomUUID()}`
  #began: Promise<void> | undefined
  #count = 0
  #sentBytes = 0
  #availableBytes: number | undefined
  #isAssembling = false

  /** @param totalBytes - where it is known, the server checks the quota before it takes the first chunk */
  constructor(settings: UploadSettings, to: UploadTo, options: PutOptions, totalBytes?: number) {
    this.#settings = settings
    this.#to = to
    this.#options = options
    this.#about = { key: to.key, signal: options.signal }
    this.#totalBytes = totalBytes
  }

  get count(): number {
    return this.#count
  }

  /** The bytes are not needed any more when it resolves. @throws SinkError */
  async send(bytes: Uint8Array): Promise<void> {
    const { uploads } = this.#settings
    if (this.#count === MAX_CHUNKS) {
      const hint = 'Set a larger `chunkBytes`.'
      const what = `needs more than ${MAX_CHUNKS} chunks`
      throw new SinkError('too-large', what, { sink: uploads.sink, key: this.#to.key, hint })
    }
    await (this.#began ??= this.#begin())
    await this.#checkRoom(this.#totalBytes ?? this.#sentBytes + bytes.length)
    // With zeros in front, so that any order of names is the right one.
    const name = String(++this.#count).padStart(5, '0')
    const body = { pieces: () => pieces(bytes, this.#options), sizeBytes: bytes.length }
    const answer = await uploads.put(`${this.#id}/${name}`, body, {
      ...this.#about,
      headers: {
        ...this.#headers(this.#totalBytes),
        'X-Hash': 'sha256',
        'Content-Type': 'application/octet-stream',
      },
    })
    if (answer.status !== 201 && answer.status !== 204) throw await this.#chunkError(answer)
    await finish(answer)
    const received = answer.headers['x-hash-sha256']
    if (
      typeof received === 'string' &&
      received.toLowerCase() !== createHash('sha256').update(bytes).digest('hex')
    ) {
      throw damaged(uploads.sink, this.#to.key)
    }
    this.#sentBytes += bytes.length
  }

  /** Has the server put them together under the temporary name, and checks what became of it. @throws SinkError */
  async assemble(sha256: string): Promise<void> {
    const { uploads, files, settling } = this.#settings
    const to = this.#to
    const sent = { sizeBytes: this.#sentBytes, sha256 }
    const headers = { ...this.#headers(sent.sizeBytes), ...hashHeaders(sha256) }
    let answered: Pick<Awaited<ReturnType<typeof uploads.get>>, 'headers'> = { headers: {} }
    this.#isAssembling = true
    try {
      const answer = await uploads.request('MOVE', `${this.#id}/.file`, { ...this.#about, headers })
      if (answer.status !== 201 && answer.status !== 204) throw await uploads.error(answer, this.#about)
      await finish(answer)
      answered = answer
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (!(error instanceof SinkError)) throw error
      if (!error.retryable) {
        this.#isAssembling = false
        throw error
      }
      const { path, key } = to
      const isDone = await settling.wait({
        to: path,
        key,
        sizeBytes: sent.sizeBytes,
        error,
        options: this.#options,
      })
      if (!isDone) throw error
    }
    await checkArrival(files, to, answered, sent, this.#options)
  }

  /** Takes the chunks away, as far as the server still answers; it forgets them by itself after a day. */
  async abort(failure?: unknown): Promise<void> {
    if (!this.#began) return
    await this.#began.catch(() => undefined)
    // It may still be put together from them.
    if (this.#isAssembling && failure instanceof SinkError && failure.retryable) return
    const signal = AbortSignal.timeout(ABORT_MS)
    await this.#settings.uploads.remove(this.#id, { signal }).catch(() => undefined)
  }

  async #begin(): Promise<void> {
    const { uploads } = this.#settings
    const headers = this.#headers(this.#totalBytes)
    const made = await uploads.makeCollection(this.#id, { ...this.#about, headers })
    if (made !== 'made') {
      throw new SinkError('protocol', 'the server does not begin an upload', {
        sink: uploads.sink,
        key: this.#to.key,
      })
    }
  }

  /** What is uploaded counts only when it is put together: that there is no room for it shall be known before. */
  async #checkRoom(neededBytes: number): Promise<void> {
    if (this.#availableBytes !== undefined && neededBytes <= this.#availableBytes) return
    const { files } = this.#settings
    const available = (await files.info('', this.#about, [QUOTA]))?.properties.get(QUOTA)
    // Less than nothing means that there is no quota, or that nobody knows.
    this.#availableBytes = /^\d+$/.test(available ?? '') ? Number(available) : Number.POSITIVE_INFINITY
    if (neededBytes <= this.#availableBytes) return
    const what = `not stored: the quota leaves ${this.#availableBytes} bytes`
    const hint = 'Free some, or lower `keep`, then run `pipe-backup heal`.'
    throw new SinkError('full', what, { sink: files.sink, key: this.#to.key, hint })
  }

  async #chunkError(answer: Parameters<UploadSettings['uploads']['error']>[0]): Promise<SinkError> {
    const { uploads } = this.#settings
    const error = await uploads.error(answer, this.#about)
    const hint = 'The server forgets uploads when its cache is emptied. Try again.'
    if (error.code !== 'exists') return error
    const { sink, key } = { sink: uploads.sink, key: this.#to.key }
    return new SinkError('unreachable', 'the server has forgotten the upload', {
      sink,
      key,
      hint,
      cause: error,
    })
  }

  #headers(totalBytes: number | undefined): Record<string, string> {
    const { files } = this.#settings
    return {
      Destination: files.url(this.#to.path).href,
      ...(totalBytes !== undefined && { 'OC-Total-Length': String(totalBytes) }),
    }
  }
}

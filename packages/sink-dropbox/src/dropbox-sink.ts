import type { IncomingMessage } from 'node:http'
import { parseContentRange } from '@pipe-backup/http'
import {
  createSink,
  isKey,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import { checkedBody } from './checked-body.ts'
import { CommitQueue } from './commit-queue.ts'
import { deleteFiles, type FileRevision } from './delete-files.ts'
import { DropboxApi } from './dropbox-api.ts'
import { toSinkError } from './dropbox-errors.ts'
import { type FileInfo, fileInfo } from './file-info.ts'
import { findFile } from './find-file.ts'
import { freeSpace } from './free-space.ts'
import { listFiles } from './list-files.ts'
import { checkOptions, type DropboxSinkOptions } from './options.ts'
import { Uploads } from './uploads.ts'

/** Above so many keys a listing finds them faster than one request for each. */
const LOOKED_UP_ONE_BY_ONE = 64
const AT_ONCE = 8
/** Who watches for silence learns that a listing goes on, so often. */
const HEARD_EVERY = 1000

/** Bytes on their way. */
interface Download {
  readonly response: IncomingMessage
  readonly sizeBytes: number
  /** Of all the bytes, when all of them come. */
  readonly contentHash: string | undefined
}

/**
 * A folder of a Dropbox as a sink: each object a file.
 * @throws TypeError when an option is missing or wrong
 */
export function dropboxSink(options: DropboxSinkOptions): Sink {
  return createSink(new DropboxProvider(options))
}

class DropboxProvider implements SinkProvider {
  readonly name: string
  // https://github.com/dropbox/dropbox-api-spec: upload_session/finish
  readonly appendOnly: boolean = false
  readonly #root: string
  readonly #api: DropboxApi
  readonly #commits: CommitQueue
  readonly #uploads: Uploads

  constructor(options: DropboxSinkOptions) {
    const { name, root, api } = checkOptions(options)
    this.name = name
    this.#root = root
    this.#api = new DropboxApi(api)
    this.#commits = new CommitQueue(this.#api)
    this.#uploads = new Uploads(this.#api, this.#commits)
  }

  async upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    const path = this.#path(key)
    const uploaded = body.bytes
      ? await this.#uploads.put(path, body.bytes, options)
      : await this.#uploads.stream(path, body, options)
    this.#check(key, uploaded)
  }

  async read(key: string, options: ReadOptions): Promise<ObjectRange> {
    const download = await this.#download(key, options)
    if (!download) return { sizeBytes: 0, pieces: (async function* () {})() }
    const { response, sizeBytes, contentHash } = download
    const pieces = checkedBody(response, contentHash, { sink: this.name, key })
    return { sizeBytes, pieces, close: () => void response.destroy() }
  }

  async head(key: string, { signal }: SinkOptions): Promise<ObjectInfo | undefined> {
    const found = await findFile(this.#api, this.#path(key), signal)
    return found && { key, sizeBytes: found.sizeBytes, storedAt: found.storedAt }
  }

  async *list(folder: string, options: SinkOptions): AsyncGenerator<ObjectInfo> {
    for await (const [key, { sizeBytes, storedAt }] of this.#files(folder, options))
      yield { key, sizeBytes, storedAt }
  }

  async remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const [only = ''] = keys
    if (keys.length === 1) await this.#removeOne(only, options)
    return keys.length > 1 ? await this.#removeMany(keys, options) : new Map()
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  freeBytes({ signal }: SinkOptions): Promise<number | undefined> {
    return freeSpace(this.#api, signal)
  }

  async close(): Promise<void> {
    this.#api[Symbol.dispose]()
  }

  async #removeOne(key: string, options: SinkOptions): Promise<void> {
    const file = await this.#lookUp(key, options)
    if (!file) return
    const free = await this.#commits.lock(options.signal)
    try {
      await this.#api.rpc((dropbox) => dropbox.filesDeleteV2(file), options.signal)
    } catch (error) {
      if (!(error instanceof ApiFailure) || !error.has('not_found')) throw error
    } finally {
      free()
    }
  }

  async #removeMany(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const files =
      keys.length > LOOKED_UP_ONE_BY_ONE
        ? await this.#findListed(keys, options)
        : await this.#lookUpEach(keys, options)
    const failed = await deleteFiles(this.#api, this.#commits, [...files.values()], options)
    const errors = new Map<string, SinkError>()
    for (const [key, { path }] of files) {
      const error = toSinkError(failed.get(path), this.name, key)
      if (error instanceof SinkError) errors.set(key, error)
    }
    return errors
  }

  #path(key: string): string {
    return `${this.#root}/${key}`
  }

  /** The files below a folder of keys that have a key. Dropbox ignores case in names: the lower-case one is the key. */
  async *#files(folder: string, { signal }: SinkOptions): AsyncGenerator<readonly [string, FileInfo]> {
    const depth = this.#root.split('/').length
    const path = folder === '' ? this.#root : this.#path(folder)
    for await (const file of listFiles(this.#api, path, signal)) {
      const key = file.pathLower.split('/').slice(depth).join('/')
      if (isKey(key)) yield [key, file]
    }
  }

  async #lookUp(key: string, { signal }: SinkOptions): Promise<FileRevision | undefined> {
    const path = this.#path(key)
    const found = await findFile(this.#api, path, signal)
    return found && { path, parent_rev: found.rev }
  }

  async #lookUpEach(
    keys: readonly string[],
    options: SinkOptions,
  ): Promise<ReadonlyMap<string, FileRevision>> {
    const found = new Map<string, FileRevision>()
    const left = keys.values()
    const next = async (): Promise<void> => {
      for (const key of left) {
        const file = await this.#lookUp(key, options)
        if (file) found.set(key, file)
        await options.onBytes?.(0)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, next))
    return found
  }

  async #findListed(
    keys: readonly string[],
    options: SinkOptions,
  ): Promise<ReadonlyMap<string, FileRevision>> {
    const wanted = new Set(keys)
    const found = new Map<string, FileRevision>()
    let seen = 0
    for await (const [key, { rev }] of this.#files(commonFolder(keys), options)) {
      if (wanted.has(key)) found.set(key, { path: this.#path(key), parent_rev: rev })
      if (++seen % HEARD_EVERY === 0) await options.onBytes?.(0)
    }
    return found
  }

  /**
   * What Dropbox says of the file that came of it: under which name, and with which bytes.
   * @throws SinkError `protocol` when it has another name, `corrupt` when it has other bytes
   */
  #check(key: string, { stored, contentHash }: { stored: FileInfo; contentHash: string }): void {
    if (stored.pathLower !== this.#path(key).toLowerCase())
      throw new SinkError('protocol', 'not stored: Dropbox has given it another name', {
        sink: this.name,
        key,
      })
    if (stored.contentHash === contentHash) return
    throw new SinkError('corrupt', 'stored with other bytes than were sent', { sink: this.name, key })
  }

  /** @returns undefined for a range of nothing @throws SinkError `range` */
  async #download(key: string, { offset = 0, length, signal }: ReadOptions): Promise<Download | undefined> {
    const refuse = (sizeBytes: number): SinkError => {
      const what = `has ${sizeBytes} bytes, wanted ${length ?? 'those'} from ${offset}`
      return new SinkError('range', what, { sink: this.name, key })
    }
    const isPart = offset !== 0 || length !== undefined
    try {
      if (length === 0 || offset < 0 || (length ?? 0) < 0) throw new ApiFailure(416, {})
      const range = isPart ? `bytes=${offset}-${length === undefined ? '' : offset + length - 1}` : undefined
      const headers = range === undefined ? {} : { Range: range }
      const { response, result } = await this.#api.download(
        (dropbox) => dropbox.filesDownload({ path: this.#path(key) }, { extraHeaders: headers }),
        signal,
      )
      const whole = fileInfo(result)
      if (!isPart) return { response, sizeBytes: whole.sizeBytes, contentHash: whole.contentHash }
      const part = parseContentRange(response.headers['content-range'])
      const end = length === undefined ? whole.sizeBytes : offset + length
      if (part?.from === offset && part.end === end)
        return { response, sizeBytes: end - offset, contentHash: undefined }
      response.destroy()
      if (end > whole.sizeBytes) throw refuse(whole.sizeBytes)
      throw new ApiFailure(response.statusCode ?? 0, {}, 'another range than it was asked for')
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 416) throw error
      // No range of HTTP is empty, and none begins at the end.
      const found = await findFile(this.#api, this.#path(key), signal)
      if (!found) throw new SinkError('not-found', 'is not there', { sink: this.name, key })
      if (offset < 0 || offset > found.sizeBytes || (length ?? 0) !== 0) throw refuse(found.sizeBytes)
      if (length === undefined && offset < found.sizeBytes) throw error
      return undefined
    }
  }
}

/** The deepest folder that all keys are in; '' when they have none in common. */
function commonFolder(keys: readonly string[]): string {
  const [first = [], ...others] = keys.map((key) => key.split('/').slice(0, -1))
  let depth = first.length
  for (const other of others) while (first.slice(0, depth).some((name, i) => other[i] !== name)) depth--
  return first.slice(0, depth).join('/')
}

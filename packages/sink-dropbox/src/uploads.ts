import { type PutOptions, SinkError, type UploadBody } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import type { Commit, CommitQueue } from './commit-queue.ts'
import { contentHash } from './content-hash.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { toSinkError } from './dropbox-errors.ts'
import { type FileInfo, fileInfo } from './file-info.ts'
import { PIECE_BYTES, UploadSession } from './upload-session.ts'

/** What was stored, and the content hash of what was sent. */
export interface Uploaded {
  readonly stored: FileInfo
  readonly contentHash: string
}

interface Unfinished {
  readonly cursor: Commit['cursor']
  readonly contentHash: string
}

/** Of one request: 150 MiB. */
const MAX_BYTES = 150 * 1024 * 1024
const MAX_UNFINISHED = 64

/** Ways for bytes to become files. */
export class Uploads {
  readonly #api: DropboxApi
  readonly #commits: CommitQueue
  /** Bytes that have arrived, and whose file did not come to be: who tries again need not send them again. */
  readonly #unfinished = new Map<string, Unfinished>()
  #running = 0

  constructor(api: DropboxApi, commits: CommitQueue) {
    this.#api = api
    this.#commits = commits
  }

  /**
   * Stores bytes: by one request when nothing else is being stored; else the bytes go into sessions side by side, and become files
   * in batches.
   * @throws ApiFailure, or the network's error
   */
  async put(path: string, bytes: Uint8Array, options: PutOptions): Promise<Uploaded> {
    const isAlone = this.#running === 0
    this.#running++
    try {
      if (bytes.length > MAX_BYTES) return await this.#inPieces(path, bytes, options)
      const hash = contentHash(bytes)
      const kept = this.#unfinished.get(path)
      this.#unfinished.delete(path)
      const stored =
        (kept?.contentHash === hash && (await this.#finishKept(path, kept, options))) ||
        (isAlone
          ? await this.#atOnce(path, bytes, hash, options)
          : await this.#inTwoSteps(path, bytes, hash, options))
      return { stored, contentHash: hash }
    } finally {
      this.#running--
    }
  }

  /** Stores a stream: one piece is on its way while the next one gathers, so two are all it holds. @throws as `put` */
  async stream(path: string, body: UploadBody, options: PutOptions): Promise<Uploaded> {
    const session = this.#session(path, options)
    let sending: Promise<void> = Promise.resolve()
    let spare: Buffer<ArrayBuffer> | undefined
    let piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
    let filled = 0
    const send = async (): Promise<void> => {
      await sending
      const full = piece
      piece = spare ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
      spare = undefined
      filled = 0
      sending = session.add(full, false).then(() => {
        spare = full
      })
      // It is the next piece, or the end, that hears of a failure.
      sending.catch(() => undefined)
    }
    try {
      for await (const bytes of body.unwatched()) {
        for (let at = 0; at < bytes.length; ) {
          // A full piece waits for the byte after it: the last one closes the session.
          if (filled === PIECE_BYTES) await send()
          const part = bytes.subarray(at, at + PIECE_BYTES - filled)
          piece.set(part, filled)
          filled += part.length
          at += part.length
        }
      }
      await sending
    } catch (error) {
      await sending.catch(() => undefined)
      throw error
    }
    await session.add(piece.subarray(0, filled), true)
    return await session.finish()
  }

  /** It tries its requests again itself. */
  #session(path: string, { ifAbsent = false, ...options }: PutOptions): UploadSession {
    return new UploadSession({
      ...options,
      api: this.#api,
      commits: this.#commits,
      commit: commitInfo(path, ifAbsent),
    })
  }

  async #atOnce(
    path: string,
    bytes: Uint8Array,
    hash: string,
    { ifAbsent = false, ...options }: PutOptions,
  ): Promise<FileInfo> {
    const over = Promise.withResolvers<void>()
    let locking: Promise<void> | undefined
    // The account is changed when the last byte has arrived; before that others may have their turn. One turn, also when the call
    // is made again with a new token while the first one is still waiting for it.
    const lock = (): Promise<void> =>
      (locking ??= this.#commits.lock(options.signal).then((free) => void over.promise.then(free)))
    try {
      if (bytes.length === 0) await lock()
      const argument = { ...commitInfo(path, ifAbsent), content_hash: hash }
      return fileInfo(
        await this.#api.upload((dropbox) => dropbox.filesUpload(argument), bytes, {
          ...options,
          beforeLast: lock,
        }),
      )
    } catch (error) {
      const id = error instanceof ApiFailure ? error.detail['upload_session_id'] : undefined
      if (typeof id === 'string')
        this.#keep(path, { cursor: { session_id: id, offset: bytes.length }, contentHash: hash }, error)
      throw error
    } finally {
      over.resolve()
    }
  }

  async #inTwoSteps(path: string, bytes: Uint8Array, hash: string, options: PutOptions): Promise<FileInfo> {
    const argument = { close: true, content_hash: hash }
    const { session_id } = await this.#api.upload(
      (dropbox) => dropbox.filesUploadSessionStart(argument),
      bytes,
      options,
    )
    if (typeof session_id !== 'string') throw new ApiFailure(200, {}, 'no session')
    return this.#finish(path, { cursor: { session_id, offset: bytes.length }, contentHash: hash }, options)
  }

  async #inPieces(path: string, bytes: Uint8Array, options: PutOptions): Promise<Uploaded> {
    const session = this.#session(path, options)
    for (let at = 0; at < bytes.length; at += PIECE_BYTES)
      await session.add(bytes.subarray(at, at + PIECE_BYTES), at + PIECE_BYTES >= bytes.length)
    return session.finish()
  }

  async #finish(
    path: string,
    unfinished: Unfinished,
    { ifAbsent = false, signal }: PutOptions,
  ): Promise<FileInfo> {
    const { cursor } = unfinished
    try {
      return fileInfo(await this.#commits.commit({ cursor, commit: commitInfo(path, ifAbsent) }, signal))
    } catch (error) {
      this.#keep(path, unfinished, error)
      throw error
    }
  }

  /** @returns undefined when Dropbox no longer has the bytes */
  async #finishKept(path: string, kept: Unfinished, options: PutOptions): Promise<FileInfo | undefined> {
    try {
      return await this.#finish(path, kept, options)
    } catch (error) {
      if (error instanceof ApiFailure && error.has('lookup_failed')) return undefined
      throw error
    }
  }

  /** Remembers what can be finished later, when the failure may pass. */
  #keep(path: string, unfinished: Unfinished, error: unknown): void {
    const meaning = toSinkError(error, '')
    const isLost = error instanceof ApiFailure && error.has('lookup_failed')
    if (!(meaning instanceof SinkError) || !meaning.retryable || isLost) return
    this.#unfinished.set(path, unfinished)
    for (const oldest of this.#unfinished.keys()) {
      if (this.#unfinished.size <= MAX_UNFINISHED) break
      this.#unfinished.delete(oldest)
    }
  }
}

function commitInfo(path: string, ifAbsent: boolean): Commit['commit'] {
  // Nobody is to be reported each pack on their desktop: mute. Without strict_conflict the same bytes are no conflict.
  return {
    path,
    mode: ifAbsent ? 'add' : 'overwrite',
    autorename: false,
    strict_conflict: ifAbsent,
    mute: true,
  }
}

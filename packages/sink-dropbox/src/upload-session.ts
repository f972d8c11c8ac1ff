import { createHash, hash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { backoffMs, SinkError, type SinkOptions } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import type { Commit, CommitQueue } from './commit-queue.ts'
import { BLOCK_BYTES, blockHashes } from './content-hash.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { toSinkError } from './dropbox-errors.ts'
import { type FileInfo, fileInfo } from './file-info.ts'
import { findFile } from './find-file.ts'

export interface UploadSessionOptions extends SinkOptions {
  readonly api: DropboxApi
  readonly commits: CommitQueue
  readonly commit: Commit['commit']
}

/** How often a piece is sent, at most. */
const TRIES = 4

/**
 * A file that is uploaded piece after piece, of which each but the last is whole blocks. It shows when it is finished.
 * Pieces and the finish are tried again here, and nowhere else: the bytes of a stream can't be had twice, so no wrapper can do it.
 */
export class UploadSession {
  readonly #options: UploadSessionOptions
  readonly #blocks = createHash('sha256')
  #id: string | undefined
  #offset = 0

  constructor(options: UploadSessionOptions) {
    this.#options = options
  }

  get isStarted(): boolean {
    return this.#id !== undefined
  }

  /** Sends a piece; the bytes must stay as they are until it is there. @param close - it is the last one */
  async add(piece: Uint8Array, close: boolean): Promise<void> {
    const blocks = blockHashes(piece)
    const content_hash = hash('sha256', blocks)
    const { api, signal, onBytes } = this.#options
    const sending = { signal, onBytes }
    await this.#again(async (failures) => {
      if (this.#id === undefined) {
        // A session whose answer was lost is nobody's; Dropbox drops it after 7 days.
        const started = await api.upload(
          (dropbox) => dropbox.filesUploadSessionStart({ close, content_hash }),
          piece,
          sending,
        )
        if (typeof started['session_id'] !== 'string') throw new ApiFailure(200, {}, 'no session')
        this.#id = started['session_id']
        return
      }
      const cursor = { session_id: this.#id, offset: this.#offset }
      try {
        await api.upload(
          (dropbox) => dropbox.filesUploadSessionAppendV2({ cursor, close, content_hash }),
          piece,
          sending,
        )
      } catch (error) {
        if (failures > 0 && this.#hasArrived(error, this.#offset + piece.length)) return
        throw asLookup(error)
      }
    })
    this.#blocks.update(blocks)
    this.#offset += piece.length
  }

  /** Gives the file its name, after the last piece. @returns what is stored, and the content hash of what was sent */
  async finish(): Promise<{ readonly stored: FileInfo; readonly contentHash: string }> {
    const { api, commits, commit, signal } = this.#options
    const contentHash = this.#blocks.digest('hex')
    const cursor = { session_id: this.#id ?? '', offset: this.#offset }
    const stored = await this.#again(async (failures) => {
      try {
        return fileInfo(await commits.commit({ cursor, commit }, signal))
      } catch (error) {
        // The last try may have done it, and only its answer been lost.
        const there = failures > 0 ? await findFile(api, commit.path, signal) : undefined
        if (there?.contentHash === contentHash) return there
        throw error
      }
    })
    return { stored, contentHash }
  }

  /** A piece that was sent again is refused when it was there already: the session is past it. */
  #hasArrived(error: unknown, end: number): boolean {
    if (!(error instanceof ApiFailure)) return false
    return error.has('closed') || error.detail['correct_offset'] === end
  }

  async #again<T>(request: (failures: number) => Promise<T>): Promise<T> {
    const { signal } = this.#options
    for (let failures = 0; ; ) {
      try {
        return await request(failures)
      } catch (error) {
        signal?.throwIfAborted()
        failures++
        const meaning = toSinkError(error, '')
        const isLost = error instanceof ApiFailure && error.has('lookup_failed')
        if (!(meaning instanceof SinkError) || !meaning.retryable || isLost || failures === TRIES) throw error
        await wait(backoffMs(failures, meaning.retryAfterMs), signal)
      }
    }
  }
}

/** Pieces of this size are whole blocks. */
export const PIECE_BYTES: number = 2 * BLOCK_BYTES

async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** What is wrong with the session is no fault of the file, and is not to be taken for it. */
function asLookup(error: unknown): unknown {
  const [tag = ''] = error instanceof ApiFailure ? error.tags : []
  if (!(error instanceof ApiFailure) || !['not_found', 'incorrect_offset', 'closed'].includes(tag))
    return error
  return new ApiFailure(error.status, { '.tag': 'lookup_failed', lookup_failed: error.detail })
}

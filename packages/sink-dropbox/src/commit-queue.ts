import { SharedRequest } from '@pipe-backup/sink'
import PQueue from 'p-queue'
import { ApiFailure } from './api-failure.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/** A finished upload that is to become a file. */
export interface Commit {
  readonly cursor: { readonly session_id: string; readonly offset: number }
  readonly commit: JsonObject & { readonly path: string }
}

interface Waiting {
  readonly commit: Commit
  readonly signal: AbortSignal | undefined
  /** Called for the request that its commit has gone out with. */
  readonly sent: (request: SharedRequest<readonly JsonObject[]>, place: number) => void
}

/** `finish_batch_v2` takes no more. */
const BATCH_ENTRIES = 1000

/**
 * All changes to the account, one after the other: Dropbox has one lock for them, and refuses who comes while it is held
 * (https://www.dropbox.com/developers/reference/data-ingress-guide). Commits that have gathered meanwhile go out as one batch.
 */
export class CommitQueue {
  readonly #api: DropboxApi
  readonly #turns = new PQueue({ concurrency: 1 })
  #waiting: Waiting[] = []
  #pumping = false

  constructor(api: DropboxApi) {
    this.#api = api
  }

  /** Waits for its turn to change the account by another request. @returns what ends it */
  lock(signal?: AbortSignal): Promise<() => void> {
    const turn = Promise.withResolvers<() => void>()
    const over = Promise.withResolvers<void>()
    const hold = (): Promise<void> => {
      turn.resolve(over.resolve)
      return over.promise
    }
    this.#turns.add(hold, { signal }).catch(turn.reject)
    return turn.promise
  }

  /** @returns the file's metadata @throws ApiFailure */
  async commit(commit: Commit, signal?: AbortSignal): Promise<JsonObject> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } =
      Promise.withResolvers<[SharedRequest<readonly JsonObject[]>, number]>()
    const waiting: Waiting = { commit, signal, sent: (request, place) => resolve([request, place]) }
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(waiting)
    // It fails nobody: those who wait hear of failures by their request.
    void this.#pump()
    try {
      const [request, place] = await promise
      return entryOf((await request.wait(signal))[place])
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#waiting = this.#waiting.filter((other) => other !== waiting)
    }
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#waiting.length > 0) {
      const free = await this.lock()
      const batch = this.#takeBatch()
      const request = new SharedRequest((signal) => this.#send(batch, signal))
      batch.forEach(({ sent }, place) => sent(request, place))
      await request.over
      free()
    }
    this.#pumping = false
  }

  /** Those who have waited longest; never two for one path, for their order would be anybody's guess. */
  #takeBatch(): readonly Waiting[] {
    const paths = new Set<string>()
    const batch: Waiting[] = []
    const left: Waiting[] = []
    for (const waiting of this.#waiting) {
      if (waiting.signal?.aborted) continue
      const { path } = waiting.commit.commit
      if (batch.length === BATCH_ENTRIES || paths.has(path)) left.push(waiting)
      else batch.push(waiting)
      paths.add(path)
    }
    this.#waiting = left
    return batch
  }

  async #send(batch: readonly Waiting[], signal: AbortSignal): Promise<readonly JsonObject[]> {
    if (batch.length === 0) return []
    const entries = batch.map(({ commit }) => commit)
    const answer = await this.#api.rpc(
      (dropbox) => dropbox.filesUploadSessionFinishBatchV2({ entries }),
      signal,
    )
    const results = answer['entries']
    if (!Array.isArray(results) || results.length !== batch.length || !results.every(isJsonObject))
      throw new ApiFailure(200, {}, 'another number of entries than it was asked to finish')
    return results
  }
}

/** What a batch says of one of its entries. @throws ApiFailure */
export function entryOf(entry: JsonObject | undefined): JsonObject {
  if (entry?.['.tag'] === 'success') return entry
  const failure = entry?.['failure']
  throw new ApiFailure(409, isJsonObject(failure) ? failure : {}, 'neither success nor failure')
}

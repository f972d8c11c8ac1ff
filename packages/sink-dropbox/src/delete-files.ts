import { setTimeout } from 'node:timers/promises'
import type { SinkOptions } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import { type CommitQueue, entryOf } from './commit-queue.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { isJsonObject, type JsonObject } from './json.ts'

/** A file to delete, and the revision that it must have: with one, Dropbox never deletes a folder and all that is in it. */
export interface FileRevision {
  readonly path: string
  readonly parent_rev: string
}

/** `delete_batch` takes no more. */
const BATCH_ENTRIES = 1000
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2000

/** @returns the paths that are still there, and why @throws ApiFailure when a whole request fails */
export async function deleteFiles(
  api: DropboxApi,
  commits: CommitQueue,
  files: readonly FileRevision[],
  options: SinkOptions,
): Promise<ReadonlyMap<string, ApiFailure>> {
  const failed = new Map<string, ApiFailure>()
  for (let at = 0; at < files.length; at += BATCH_ENTRIES) {
    const entries = files.slice(at, at + BATCH_ENTRIES)
    const free = await commits.lock(options.signal)
    try {
      const results = await deleteBatch(api, entries, options)
      for (const [i, { path }] of entries.entries()) {
        try {
          entryOf(results[i])
        } catch (error) {
          if (!(error instanceof ApiFailure)) throw error
          if (!error.has('not_found')) failed.set(path, error)
        }
      }
    } finally {
      free()
    }
  }
  return failed
}

async function deleteBatch(
  api: DropboxApi,
  entries: readonly FileRevision[],
  { signal, onBytes }: SinkOptions,
): Promise<readonly JsonObject[]> {
  let state = await api.rpc((dropbox) => dropbox.filesDeleteBatch({ entries: [...entries] }), signal)
  const async_job_id = String(state['async_job_id'])
  for (
    let waitMs = FIRST_WAIT_MS;
    state['.tag'] !== 'complete';
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)
  ) {
    if (state['.tag'] === 'failed') {
      const failure = state['failed']
      throw new ApiFailure(409, isJsonObject(failure) ? failure : {}, 'a job that failed')
    }
    await setTimeout(waitMs, undefined, { signal })
    state = await api.rpc((dropbox) => dropbox.filesDeleteBatchCheck({ async_job_id }), signal)
    // A job of a thousand may take minutes: its answers are all that is heard of it.
    await onBytes?.(0)
  }
  const results = state['entries']
  if (!Array.isArray(results) || results.length !== entries.length || !results.every(isJsonObject))
    throw new ApiFailure(200, {}, 'another number of entries than it was asked to delete')
  return results
}

import type { Account } from './account.ts'
import { Refused } from './account.ts'
import { rateLimited, routeError, type Tagged } from './api-error.ts'
import type { Blob } from './blob.ts'
import type { DeleteJobs } from './delete-jobs.ts'
import type { Listings } from './listings.ts'
import type { Check } from './stone.ts'
import type { UploadSessions } from './upload-sessions.ts'

/** What the routes work on. */
export interface Place {
  readonly account: Account
  readonly sessions: UploadSessions
  readonly listings: Listings
  readonly jobs: DeleteJobs
  readonly newBlob: () => Blob
}

export interface Download {
  readonly metadata: object
  readonly blob: Blob
}

interface Common {
  readonly scope: string
}

/** A route: JSON to JSON, bytes to JSON, or JSON to bytes. Its argument is checked before it is called. */
export type Route =
  | (Common & { readonly style: 'rpc'; call(argument: unknown, place: Place): Promise<unknown> })
  | (Common & {
      readonly style: 'upload'
      call(argument: unknown, place: Place, body: AsyncIterable<Uint8Array>): Promise<unknown>
    })
  | (Common & { readonly style: 'download'; call(argument: unknown, place: Place): Promise<Download> })

export function rpc<T>(
  scope: string,
  check: Check<T>,
  run: (argument: T, place: Place) => unknown,
): Route & { style: 'rpc' } {
  return { style: 'rpc', scope, call: async (argument, place) => run(check(argument, ''), place) }
}

export function upload<T>(
  scope: string,
  check: Check<T>,
  run: (argument: T, place: Place, body: AsyncIterable<Uint8Array>) => Promise<unknown>,
): Route & { style: 'upload' } {
  return {
    style: 'upload',
    scope,
    call: async (argument, place, body) => run(check(argument, ''), place, body),
  }
}

export function download<T>(
  scope: string,
  check: Check<T>,
  run: (argument: T, place: Place) => Download,
): Route & { style: 'download' } {
  return { style: 'download', scope, call: async (argument, place) => run(check(argument, ''), place) }
}

/**
 * Runs it, and gives what it refuses as the route's error. Contention for the lock is in the unions of the specification (409); by the
 * guide on data ingress it is reported with 429 for the whole call: https://www.dropbox.com/developers/reference/data-ingress-guide
 */
export async function refusedAs<T>(as: (error: Tagged) => Tagged, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw error.status === 429 ? rateLimited('too_many_write_operations', 1) : routeError(as(error.error))
  }
}

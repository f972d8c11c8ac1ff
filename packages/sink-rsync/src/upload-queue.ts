import { SinkError } from '@pipe-backup/sink'
import type { SpooledObject } from './memory-spool.ts'
import { PARTIAL, ProgramFailure, VANISHED } from './run-program.ts'

/** An object that is ready to be sent. */
export interface Upload extends SpooledObject {
  readonly ifAbsent: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * What has become of it: stored; the key has an object, which was left alone; or that too, and the object may be the one that was sent,
 * by a rsync that was cut.
 */
export type Outcome = 'stored' | 'taken' | 'unsure'

/** What goes together: all with `ifAbsent`, or none. */
export interface Batch {
  readonly uploads: readonly Upload[]
  readonly signal: AbortSignal
}

interface Entry {
  readonly upload: Upload
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
  /** Cuts the batch it is in; undefined while it waits. */
  cut: AbortController | undefined
  /** In the batch it was in something failed for one of them. */
  alone: boolean
  resent: boolean
}

const MAX_BYTES = 64 * 1024 * 1024
const MAX_OBJECTS = 500
/** One prepares and ends while the other sends. */
const MAX_RUNNING = 2
/** A second connection costs more than it gives, unless there is so much to send. */
const SECOND_FROM_BYTES = 4 * 1024 * 1024
/** What is nearly ready is waited for, so that it goes along; and who was waiting for what was sent may have more in a moment. */
const GATHER_MS = 10

/** Sends what is ready together: as each rsync costs a handshake or more, all that became ready while one ran go with the next. */
export class UploadQueue {
  /** Sends them. Gives the keys of those that were stored: the others have an object already. */
  readonly #send: (batch: Batch) => Promise<ReadonlySet<string>>
  /** Those that wait and those that are sent, in order of coming. */
  readonly #entries = new Set<Entry>()
  #running = 0
  #timer: NodeJS.Timeout | undefined

  constructor(send: (batch: Batch) => Promise<ReadonlySet<string>>) {
    this.#send = send
  }

  /** @throws what sending throws; the upload's signal's reason, when nothing is sent any more */
  async add(upload: Upload): Promise<Outcome> {
    const { signal } = upload
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    const entry: Entry = { upload, resolve, reject, cut: undefined, alone: false, resent: false }
    const onAbort = (): void => {
      // The others of its batch are sent again.
      if (entry.cut) return entry.cut.abort(signal?.reason)
      this.#entries.delete(entry)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#entries.add(entry)
    this.#startSoon()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #startSoon(): void {
    if (this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // None rejects: the callers of the entries get the error.
      for (let batch = this.#next(); this.#mayStart(batch); batch = this.#next()) void this.#run(batch)
    }, GATHER_MS)
  }

  #mayStart(batch: readonly Entry[]): boolean {
    const bytes = batch.reduce((sum, { upload }) => sum + upload.sizeBytes, 0)
    const isWorthIt = this.#running === 0 || bytes >= SECOND_FROM_BYTES
    return batch.length > 0 && this.#running < MAX_RUNNING && isWorthIt
  }

  /** What may go together next, in order; the same key never twice at once. */
  #next(): Entry[] {
    const batch: Entry[] = []
    const keys = new Set<string>()
    let bytes = 0
    for (const entry of this.#entries) {
      const { key, sizeBytes, ifAbsent } = entry.upload
      const [first] = batch
      const likes = !first || (first.upload.ifAbsent === ifAbsent && !first.alone && !entry.alone)
      if (!entry.cut && likes && (!first || bytes + sizeBytes <= MAX_BYTES) && !keys.has(key)) {
        batch.push(entry)
        bytes += sizeBytes
      }
      // Of one key the earlier comes first, whatever is with it.
      keys.add(key)
      if (batch.length >= MAX_OBJECTS) break
    }
    return batch
  }

  async #run(batch: readonly Entry[]): Promise<void> {
    const cut = new AbortController()
    for (const entry of batch) entry.cut = cut
    this.#running++
    try {
      const stored = await this.#send({ uploads: batch.map(({ upload }) => upload), signal: cut.signal })
      for (const entry of batch) {
        this.#entries.delete(entry)
        entry.resolve(stored.has(entry.upload.key) ? 'stored' : entry.resent ? 'unsure' : 'taken')
      }
    } catch (error) {
      const isOfOne = batch.length > 1 && isOfOneObject(error)
      for (const entry of batch) {
        const { signal } = entry.upload
        if (!signal?.aborted && (isOfOne || cut.signal.aborted)) {
          Object.assign(entry, { cut: undefined, alone: entry.alone || isOfOne, resent: true })
        } else {
          this.#entries.delete(entry)
          entry.reject(signal?.aborted ? signal.reason : error)
        }
      }
    } finally {
      this.#running--
      this.#startSoon()
    }
  }
}

function isOfOneObject(error: unknown): boolean {
  if (error instanceof SinkError) return error.key !== undefined
  return error instanceof ProgramFailure && [PARTIAL, VANISHED].includes(error.exitCode)
}

import { SinkError } from '@pipe-backup/sink'
import { ProgramFailure } from './run-program.ts'

/** An object that is ready to be sent. */
export interface Upload {
  readonly key: string
  /** Its name for rsync's `--files-from`. */
  readonly source: string
  readonly sizeBytes: number
  readonly ifAbsent: boolean
  /** How fast it may go out, in bytes a second. */
  readonly pace: number
  readonly signal?: AbortSignal | undefined
}

/**
 * What has become of it: stored; the key has an object, which was left alone; or that too, and the object may be the one that was sent,
 * by a rsync that was cut.
 */
export type Outcome = 'stored' | 'taken' | 'unsure'

export interface Batch {
  readonly uploads: readonly Upload[]
  readonly ifAbsent: boolean
  readonly bytesPerSecond: number
  readonly signal: AbortSignal
}

interface Entry {
  readonly upload: Upload
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
  /** In the batch it was in something failed for one of them. */
  alone: boolean
  resent: boolean
}

interface Running {
  readonly entries: readonly Entry[]
  readonly cut: AbortController
}

const MAX_BYTES = 64 * 1024 * 1024
const MAX_OBJECTS = 500
/** One prepares and ends while the other sends. */
const MAX_RUNNING = 2
/** A second connection costs more than it gives, unless there is so much to send. */
const SECOND_FROM_BYTES = 4 * 1024 * 1024
/** What is nearly ready is waited for, so that it goes along. */
const GATHER_MS = 10
const PARTIAL = 23
const VANISHED = 24

/** Sends what is ready together: as each rsync costs a handshake or more, all that became ready while one ran go with the next. */
export class UploadQueue {
  /** Sends them. Gives the keys of those that were stored: the others have an object already. */
  readonly #send: (batch: Batch) => Promise<ReadonlySet<string>>
  readonly #waiting: Entry[] = []
  readonly #running = new Set<Running>()
  #coming = 0
  #timer: NodeJS.Timeout | undefined

  constructor(send: (batch: Batch) => Promise<ReadonlySet<string>>) {
    this.#send = send
  }

  /** Something is being prepared, and will be added then: what is added before waits for it, a moment. */
  async expect<T>(preparing: Promise<T>): Promise<T> {
    this.#coming++
    try {
      return await preparing
    } finally {
      this.#coming--
    }
  }

  /** @throws what sending throws; the upload's signal's reason, when nothing is sent any more */
  add(upload: Upload): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    const { signal } = upload
    signal?.throwIfAborted()
    const entry: Entry = { upload, resolve, reject, alone: false, resent: false }
    const onAbort = () => this.#abort(entry)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(entry)
    if (this.#coming === 0) this.#start()
    else this.#startSoon()
    return promise.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  #abort(entry: Entry): void {
    const { signal } = entry.upload
    const at = this.#waiting.indexOf(entry)
    if (at >= 0) {
      this.#waiting.splice(at, 1)
      entry.reject(signal?.reason)
    }
    // The others of its batch are sent again.
    for (const { entries, cut } of this.#running) if (entries.includes(entry)) cut.abort(signal?.reason)
  }

  #startSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#start()
    }, GATHER_MS)
  }

  #start(): void {
    for (;;) {
      const batch = this.#next()
      if (batch.length === 0) return
      const bytes = batch.reduce((sum, { upload }) => sum + upload.sizeBytes, 0)
      if (this.#running.size >= MAX_RUNNING || (this.#running.size > 0 && bytes < SECOND_FROM_BYTES)) return
      for (const entry of batch) this.#waiting.splice(this.#waiting.indexOf(entry), 1)
      // It never rejects: the callers of the entries get the error.
      void this.#run(batch)
    }
  }

  /** What may go together next, in order; the same key never twice at once. */
  #next(): Entry[] {
    const batch: Entry[] = []
    const keys = new Set([...this.#running].flatMap(({ entries }) => entries.map(({ upload }) => upload.key)))
    let bytes = 0
    for (const entry of this.#waiting) {
      const { key, sizeBytes, ifAbsent } = entry.upload
      const [first] = batch
      const likes = !first || (first.upload.ifAbsent === ifAbsent && !first.alone && !entry.alone)
      if (likes && (!first || bytes + sizeBytes <= MAX_BYTES) && !keys.has(key)) {
        batch.push(entry)
        bytes += sizeBytes
      }
      // Of one key the earlier comes first, whatever is with it.
      keys.add(key)
      if (batch.length >= MAX_OBJECTS) break
    }
    return batch
  }

  async #run(entries: readonly Entry[]): Promise<void> {
    const running: Running = { entries, cut: new AbortController() }
    const { signal } = running.cut
    const uploads = entries.map(({ upload }) => upload)
    this.#running.add(running)
    try {
      const bytesPerSecond = uploads.reduce((sum, { pace }) => sum + pace, 0)
      const ifAbsent = uploads.some((upload) => upload.ifAbsent)
      const stored = await this.#send({ uploads, ifAbsent, bytesPerSecond, signal })
      for (const { upload, resent, resolve } of entries)
        resolve(stored.has(upload.key) ? 'stored' : resent ? 'unsure' : 'taken')
    } catch (error) {
      this.#failed(entries, error, signal.aborted)
    } finally {
      this.#running.delete(running)
      // Who was waiting for these may have more in a moment.
      this.#startSoon()
    }
  }

  #failed(entries: readonly Entry[], error: unknown, wasCut: boolean): void {
    const ofOne =
      error instanceof SinkError
        ? error.key !== undefined
        : error instanceof ProgramFailure && [PARTIAL, VANISHED].includes(error.exitCode)
    const alone = ofOne && entries.length > 1
    const again: Entry[] = []
    for (const entry of entries) {
      const { signal } = entry.upload
      if (signal?.aborted) entry.reject(signal.reason)
      else if (alone || wasCut)
        again.push(Object.assign(entry, { alone: entry.alone || alone, resent: true }))
      else entry.reject(error)
    }
    this.#waiting.unshift(...again)
  }
}

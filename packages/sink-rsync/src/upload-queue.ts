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
/** One prepares and ends while the other sends. */
const MAX_RUNNING = 2
const MAX_OBJECTS = 500
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
  readonly #keys = new Set<string>()
  #coming = 0
  #timer: NodeJS.Timeout | undefined

  constructor(send: (batch: Batch) => Promise<ReadonlySet<string>>) {
    this.#send = send
  }

  /** Somebody will add something soon. @returns to be called when it was added, or will not be */
  expect(): () => void {
    this.#coming++
    let reported = false
    return () => {
      if (reported) return
      reported = true
      if (--this.#coming === 0) this.#start()
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
    const at = this.#waiting.indexOf(entry)
    if (at >= 0) {
      this.#waiting.splice(at, 1)
      entry.reject(entry.upload.signal?.reason)
    }
    // The others of its batch are sent again.
    for (const { entries, cut } of this.#running)
      if (entries.includes(entry)) cut.abort(entry.upload.signal?.reason)
  }

  #startSoon(): void {
    if (this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#start()
    }, GATHER_MS)
  }

  #start(): void {
    for (;;) {
      const batch = this.#take()
      const [first] = batch
      if (!first) return
      const bytes = batch.reduce((sum, { upload }) => sum + upload.sizeBytes, 0)
      if (this.#running.size >= MAX_RUNNING || (this.#running.size > 0 && bytes < SECOND_FROM_BYTES)) return
      for (const entry of batch) this.#waiting.splice(this.#waiting.indexOf(entry), 1)
      // It never rejects: the callers of the entries get the error.
      void this.#run(batch, first.upload.ifAbsent)
    }
  }

  /** What may go together next, in order; the same key never twice at once. */
  #take(): Entry[] {
    const batch: Entry[] = []
    const keys = new Set(this.#keys)
    let bytes = 0
    for (const entry of this.#waiting) {
      const { upload, alone } = entry
      const [first] = batch
      const fits = !first || (bytes + upload.sizeBytes <= MAX_BYTES && !alone && !first.alone)
      const likes = !first || first.upload.ifAbsent === upload.ifAbsent
      if (fits && likes && !keys.has(upload.key)) {
        batch.push(entry)
        bytes += upload.sizeBytes
      }
      // Of one key the earlier comes first, whatever is with it.
      keys.add(upload.key)
      if (batch.length >= MAX_OBJECTS) break
    }
    return batch
  }

  async #run(entries: readonly Entry[], ifAbsent: boolean): Promise<void> {
    const running: Running = { entries, cut: new AbortController() }
    const { signal } = running.cut
    const uploads = entries.map(({ upload }) => upload)
    this.#running.add(running)
    for (const { key } of uploads) this.#keys.add(key)
    try {
      const bytesPerSecond = uploads.reduce((sum, { pace }) => sum + pace, 0)
      const stored = await this.#send({ uploads, ifAbsent, bytesPerSecond, signal })
      for (const { upload, resent, resolve } of entries)
        resolve(stored.has(upload.key) ? 'stored' : resent ? 'unsure' : 'taken')
    } catch (error) {
      this.#failed(entries, error, signal)
    } finally {
      this.#running.delete(running)
      for (const { key } of uploads) this.#keys.delete(key)
      // Who was waiting for these may have more in a moment.
      this.#startSoon()
    }
  }

  #failed(entries: readonly Entry[], error: unknown, cut: AbortSignal): void {
    const ofOne =
      error instanceof SinkError
        ? error.key !== undefined
        : error instanceof ProgramFailure && [PARTIAL, VANISHED].includes(error.exitCode)
    const partly = ofOne && entries.length > 1
    const again: Entry[] = []
    for (const entry of entries) {
      const { signal } = entry.upload
      if (signal?.aborted) entry.reject(signal.reason)
      else if (partly || cut.aborted) again.push(entry)
      else entry.reject(error)
    }
    for (const entry of again) {
      entry.alone ||= partly
      entry.resent = true
    }
    this.#waiting.unshift(...again)
  }
}

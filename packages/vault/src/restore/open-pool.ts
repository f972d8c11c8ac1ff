import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { startThread } from '../start-thread.ts'
import type { Batch, FromOpener, OpenedBatch, OpenerStart, ToOpener } from './open-messages.ts'

/** Beside the main thread, which writes what is opened; more than these would wait for it. */
const MAX_WORKERS = 4
/** One that it works on, and one that waits. */
const BATCHES_PER_WORKER = 2
/** Their garbage is small beside what is transferred; V8 would let it grow with the machine's memory. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 }

interface Opener {
  readonly thread: Worker
  readonly ended: Promise<void>
  readonly isEnded: Int32Array<SharedArrayBuffer>
  isReady: boolean
  batches: number
}

interface Job {
  readonly resolve: (opened: OpenedBatch | undefined) => void
}

/** Opens batches of chunks on other threads. */
export class OpenPool implements AsyncDisposable {
  readonly #keys: Pick<OpenerStart, 'idKey' | 'nodeIdKey'>
  readonly #onReady: () => void
  readonly #openers: Opener[] = []
  readonly #jobs = new Map<number, Job>()
  #batches = 0
  #isClosed = false

  /** @param onReady - called when a thread can begin, which takes it a tenth of a second */
  constructor(keys: Pick<OpenerStart, 'idKey' | 'nodeIdKey'>, onReady: () => void) {
    this.#keys = keys
    this.#onReady = onReady
  }

  /** Starts the threads, once. */
  start(): void {
    if (this.#isClosed || this.#openers.length > 0) return
    const workers = Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1))
    for (let i = 0; i < workers; i++) this.#openers.push(this.#startOne())
  }

  /** Whether a batch that is handed over now is begun at once, or next. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#openers.some(isFree)
  }

  /** Opens a batch. @returns undefined where no thread is left to do it */
  async open(batch: Batch): Promise<OpenedBatch | undefined> {
    const opener = this.#openers.filter(isFree).sort((a, b) => a.batches - b.batches)[0]
    if (!opener || this.#isClosed) return undefined
    opener.batches++
    const done = Promise.withResolvers<OpenedBatch | undefined>()
    const number = this.#batches++
    this.#jobs.set(number, { resolve: done.resolve })
    opener.thread.postMessage({ type: 'open', number, batch } satisfies ToOpener)
    return await done.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp()
    await Promise.all(
      this.#openers.map(async ({ thread, ended, isEnded }) => {
        // Not terminated: Node aborts the whole process when a thread dies in the middle of zlib's work.
        Atomics.store(isEnded, 0, 1)
        thread.postMessage({ type: 'end' } satisfies ToOpener)
        await ended
      }),
    )
  }

  #startOne(): Opener {
    const isEnded = new Int32Array(new SharedArrayBuffer(4))
    const start = { ...this.#keys, isEnded } satisfies OpenerStart
    const { thread, ended } = startThread(new URL('./open-worker', import.meta.url), start, WORKER_LIMITS)
    const opener: Opener = { thread, ended, isEnded, isReady: false, batches: 0 }
    thread.on('message', (message: FromOpener) => this.#receive(opener, message))
    // What it had is opened on the main thread.
    thread.on('error', () => this.#giveUp())
    return opener
  }

  #receive(opener: Opener, message: FromOpener): void {
    if (message === 'ready') {
      opener.isReady = true
      if (!this.#isClosed) this.#onReady()
      return
    }
    const job = this.#jobs.get(message.number)
    if (!job) return
    this.#jobs.delete(message.number)
    opener.batches--
    job.resolve(message)
  }

  #giveUp(): void {
    this.#isClosed = true
    for (const { resolve } of this.#jobs.values()) resolve(undefined)
    this.#jobs.clear()
  }
}

function isFree({ isReady, batches }: Opener): boolean {
  return isReady && batches < BATCHES_PER_WORKER
}

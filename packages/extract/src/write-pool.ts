import { Worker } from 'node:worker_threads'
import type { BatchOutcome } from './write-batch.ts'

/** For each thread one batch at work and one that waits; besides, one is being filled. */
const BATCHES_PER_THREAD = 2
/** Batches are transferred, and of what a thread makes itself nothing is large; V8 would let it grow with the machine's memory. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 }

/** What a thread is started with. */
export interface WriterStart {
  /** Not 0 once nothing that was handed over is wanted any more. */
  readonly isEnded: Int32Array<SharedArrayBuffer>
}

/** To a thread; `end`: no more follows. */
export type ToWriter =
  | { readonly type: 'write'; readonly number: number; readonly memory: ArrayBuffer; readonly length: number }
  | { readonly type: 'end' }

/** From a thread. */
export interface FromWriter {
  readonly number: number
  readonly memory: ArrayBuffer
  readonly outcome: BatchOutcome
}

export interface WritePoolOptions {
  readonly threads: number
  readonly batchBytes: number
  /** Called for each batch once, in any order. */
  onOutcome(number: number, outcome: BatchOutcome): void
  /** Called when a thread fails, which none should. */
  onFailure(error: Error): void
}

interface Writer {
  readonly thread: Worker
  readonly ended: Promise<void>
  batches: number
}

/** Threads that write batches of files. Memory goes back and forth by transfer; how much of it there is bounds what is under way. */
export class WritePool {
  readonly #options: WritePoolOptions
  readonly #writers: Writer[] = []
  readonly #free: ArrayBuffer[] = []
  readonly #isEnded = new Int32Array(new SharedArrayBuffer(4))
  #made = 0

  constructor(options: WritePoolOptions) {
    this.#options = options
  }

  /** Memory for a batch; undefined while all of it is under way. */
  takeMemory(): ArrayBuffer | undefined {
    const { threads, batchBytes } = this.#options
    const memory = this.#free.pop()
    if (memory || this.#made > threads * BATCHES_PER_THREAD) return memory
    this.#made++
    return new ArrayBuffer(batchBytes)
  }

  /** Hands a batch over. */
  submit(number: number, memory: ArrayBuffer, length: number): void {
    const writer = this.#leastBusy()
    writer.batches++
    writer.thread.postMessage({ type: 'write', number, memory, length } satisfies ToWriter, [memory])
  }

  /** Ends the threads: each after the file that it is at. */
  async end(): Promise<void> {
    Atomics.store(this.#isEnded, 0, 1)
    for (const { thread } of this.#writers) thread.postMessage({ type: 'end' } satisfies ToWriter)
    await Promise.all(this.#writers.map(({ ended }) => ended))
  }

  #leastBusy(): Writer {
    const [first = this.#start(), ...others] = this.#writers
    const least = others.reduce((one, other) => (other.batches < one.batches ? other : one), first)
    return least.batches > 0 && this.#writers.length < this.#options.threads ? this.#start() : least
  }

  #start(): Writer {
    // From source the worker needs the condition that finds the other packages' sources; built code does not.
    const fromSource = import.meta.url.endsWith('.ts')
    const url = new URL(fromSource ? './write-worker.ts' : './write-worker.js', import.meta.url)
    const compileCache = process.env['NODE_COMPILE_CACHE']
    const thread = new Worker(url, {
      workerData: { isEnded: this.#isEnded } satisfies WriterStart,
      execArgv: fromSource ? ['--conditions=pipe-backup-src', '--disable-warning=ExperimentalWarning'] : [],
      stdin: false,
      // Of the environment, where secrets may be, it gets what starts it faster.
      env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
      resourceLimits: THREAD_LIMITS,
    })
    const ended = new Promise<void>((resolve) => {
      thread.once('exit', () => resolve())
    })
    const writer: Writer = { thread, ended, batches: 0 }
    thread.on('message', ({ number, memory, outcome }: FromWriter) => {
      writer.batches--
      this.#free.push(memory)
      this.#options.onOutcome(number, outcome)
    })
    thread.on('error', (error) => this.#options.onFailure(toError(error)))
    this.#writers.push(writer)
    return writer
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

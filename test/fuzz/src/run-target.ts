import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { writeFinding } from './corpus.ts'
import type { Flaw } from './judge.ts'
import { MAX_INPUT_BYTES } from './mutate.ts'

/** What the thread is given. */
export interface WorkerTask {
  readonly name: string
  readonly seed: number
  readonly untilMs: number
  /** How many inputs of the corpus are written to the repository; 0 for none. */
  readonly save: number
  /** How many inputs were fed, the length of the last one, and its bytes. */
  readonly shared: SharedArrayBuffer
}

interface Finding extends Flaw {
  readonly file: string
}

interface Counts {
  readonly inputs: number
  readonly blocks: number
  readonly corpus: number
}

/** What the thread says. */
export type FromWorker = { readonly finding: Finding } | { readonly result: Counts }

export interface TargetReport extends Counts {
  readonly name: string
  readonly seconds: number
  readonly findings: readonly Finding[]
}

/** A decoder that takes longer for one input hangs: what is only slow has ended by then. */
const HANG_MS = 20_000
const HEAP_MB = 2048

/** Fuzzes one target in a thread of its own, which is ended when it hangs. */
export async function runTarget(options: {
  readonly name: string
  readonly seed: number
  readonly seconds: number
  readonly save: number
}): Promise<TargetReport> {
  const { name, seed, seconds, save } = options
  const started = Date.now()
  const shared = new SharedArrayBuffer(8 + MAX_INPUT_BYTES)
  const state = new Int32Array(shared, 0, 2)
  const task: WorkerTask = { name, seed, untilMs: started + seconds * 1000, save, shared }
  const worker = new Worker(join(import.meta.dirname, 'fuzz-worker.ts'), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
  const findings: Finding[] = []
  let counts: Counts = { inputs: 0, blocks: 0, corpus: 0 }
  const broken = (signature: string, message: string): void => {
    const bytes = Uint8Array.from(new Uint8Array(shared, 8, state[1]))
    findings.push({ signature, message, file: writeFinding(name, bytes) })
    counts = { ...counts, inputs: state[0] ?? 0 }
  }
  let seen = -1
  const watch = setInterval(() => {
    const fed = Atomics.load(state, 0)
    // Before the first input it loads.
    if (fed > 0 && fed === seen) {
      broken('hang', `took more than ${HANG_MS / 1000} s`)
      void worker.terminate()
    }
    seen = fed
  }, HANG_MS)
  const { promise, resolve } = Promise.withResolvers<void>()
  worker.on('message', (message: FromWorker) => {
    if ('finding' in message) findings.push(message.finding)
    else counts = message.result
  })
  worker.on('error', (error) => broken('worker', `ended the thread: ${String(error)}`))
  worker.on('exit', () => resolve())
  await promise
  clearInterval(watch)
  return { name, seconds: (Date.now() - started) / 1000, findings, ...counts }
}

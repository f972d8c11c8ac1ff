import { parentPort, workerData } from 'node:worker_threads'
import { MAX_CORPUS_BYTES, writeCorpus, writeFinding } from './corpus.ts'
import { fuzz, minimise } from './fuzzer.ts'
import type { FromWorker, WorkerTask } from './run-target.ts'
import { loadTargets } from './target.ts'

// A thread of its own: one that hangs can be ended, and what it hangs on is in memory that both see.
const { name, seed, untilMs, save, shared } = workerData as WorkerTask
const target = (await loadTargets()).find((one) => one.name === name)
if (!target) throw new RangeError(`no target ${name}`)
const [count, length] = [0, 1]
const state = new Int32Array(shared, 0, 2)
const input = new Uint8Array(shared, 8)
const report = (message: FromWorker): void => parentPort?.postMessage(message)
const { corpus, inputs, blocks } = await fuzz({
  target,
  seed,
  untilMs,
  onInput: (bytes) => {
    input.set(bytes)
    state[length] = bytes.length
    Atomics.add(state, count, 1)
  },
  onFlaw: (flaw, bytes) => report({ finding: { ...flaw, file: writeFinding(name, bytes) } }),
})
if (save) {
  const small = corpus.filter((bytes) => bytes.length <= MAX_CORPUS_BYTES)
  writeCorpus(name, (await minimise(target, small)).slice(0, save))
}
report({ result: { inputs, blocks, corpus: corpus.length } })

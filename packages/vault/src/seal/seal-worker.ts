import { parentPort, workerData } from 'node:worker_threads'
import type { ToWorker, WorkerStart } from './messages.ts'
import { Sealer } from './sealer.ts'

if (!parentPort) throw new Error('the seal worker runs in a worker thread')
const port = parentPort
const { keys, isEnded } = workerData as WorkerStart
const sealer = new Sealer(keys, (message, transfer) => port.postMessage(message, transfer))
port.on('message', (message: ToWorker) => {
  if (message.type === 'end') port.close()
  else if (Atomics.load(isEnded, 0) === 0) sealer.handle(message)
})

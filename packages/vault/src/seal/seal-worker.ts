import { parentPort, workerData } from 'node:worker_threads'
import type { SealerKeys, ToSealer } from './messages.ts'
import { Sealer } from './sealer.ts'

if (!parentPort) throw new Error('the seal worker runs in a worker thread')
const port = parentPort
const sealer = new Sealer(workerData as SealerKeys, (message, transfer) =>
  port.postMessage(message, transfer),
)
port.on('message', (message: ToSealer) => sealer.handle(message))

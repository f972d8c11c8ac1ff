import { parentPort, workerData } from 'node:worker_threads'
import { openBatch } from './open-batch.ts'
import type { FromOpener, OpenerStart, ToOpener } from './open-messages.ts'

if (!parentPort) throw new Error('the open worker runs in a worker thread')
const port = parentPort
const start = workerData as OpenerStart
port.postMessage('ready' satisfies FromOpener)
port.on('message', (message: ToOpener) => {
  if (message.type === 'end') port.close()
  else if (Atomics.load(start.isEnded, 0) === 0)
    port.postMessage({
      number: message.number,
      opened: openBatch(start, message.batch),
    } satisfies FromOpener)
})

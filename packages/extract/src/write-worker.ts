import { parentPort, workerData } from 'node:worker_threads'
import { writeBatch } from './write-batch.ts'
import type { FromWriter, ToWriter, WriterStart } from './write-pool.ts'

if (!parentPort) throw new Error('the write worker runs in a worker thread')
const port = parentPort
const { isEnded } = workerData as WriterStart
port.on('message', (message: ToWriter) => {
  if (message.type === 'end') {
    port.close()
    return
  }
  const { number, memory, length } = message
  const outcome = writeBatch(memory, length, isEnded)
  port.postMessage({ number, memory, outcome } satisfies FromWriter, [memory])
})

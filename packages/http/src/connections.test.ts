import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Connections } from './connections.ts'

/** Answers, and closes a connection that has been idle for a tenth of a second: on another thread, as this one is held up. */
const SERVER = `
  const { createServer } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  let connections = 0
  const server = createServer((socket) => {
    const number = String(++connections)
    socket.setTimeout(100, () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: ' + number.length + '\\r\\n\\r\\n' + number))
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
`

test('a request right after a long computation is made on a new connection: the server has closed the idle one', async () => {
  const server = new Worker(SERVER, { eval: true })
  try {
    const [port] = (await once(server, 'message')) as [number]
    using connections = new Connections({ idleMs: 80 })
    const request = async (): Promise<string> => {
      const [response] = (await once(get({ port, agent: connections.http }), 'response')) as [IncomingMessage]
      return await text(response)
    }
    expect(await request()).toBe('1')
    await new Promise((resolve) => setImmediate(resolve))
    expect(Object.values(connections.http.freeSockets).flat()).toHaveLength(1)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
    expect(await request()).toBe('2')
  } finally {
    await server.terminate()
  }
})

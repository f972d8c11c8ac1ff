import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import { Connections } from './connections.ts'
import { exchange, finish, type HttpRequest } from './exchange.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const PIECES = 20_000
let server: Server | undefined
afterEach(() => {
  server?.close()
})

/** A server that answers the first request of each connection, and closes that when another comes. */
async function forgetful(connections: Connections): Promise<{
  readonly send: (request: Omit<HttpRequest, 'url'>) => Promise<number | undefined>
  readonly accepted: Socket[]
}> {
  const accepted: Socket[] = []
  server = createServer((socket) => {
    accepted.push(socket)
    let requests = 0
    socket.on('data', () => (++requests === 1 ? socket.write(OK) : socket.destroy()))
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const send = async (request: Omit<HttpRequest, 'url'>): Promise<number | undefined> => {
    const answer = await exchange(connections, { ...request, url: new URL(`http://127.0.0.1:${port}/x`) })
    await finish(answer)
    return answer.statusCode
  }
  return { send, accepted }
}

test.for<Omit<HttpRequest, 'url'>>([
  { method: 'GET' },
  { method: 'PROPFIND' },
  { method: 'DELETE' },
  { method: 'PUT', body: { pieces: () => [Buffer.from('b')], sizeBytes: 1 } },
])('$method goes by a new connection where the one that was kept is closed', async (request) => {
  using connections = new Connections()
  const { send, accepted } = await forgetful(connections)
  expect(await send({ method: 'GET' })).toBe(200)
  expect(await send(request)).toBe(200)
  expect(accepted).toHaveLength(2)
})

test.for<Omit<HttpRequest, 'url'>>([
  { method: 'MKCOL' },
  { method: 'MOVE' },
  { method: 'POST' },
  { method: 'PUT', headers: { 'If-None-Match': '*' } },
  { method: 'PUT', body: { pieces: () => [Buffer.from('b')], isRewindable: false } },
])('what may have been done, and must not be done twice, fails: $method $headers $body', async (request) => {
  using connections = new Connections()
  const { send, accepted } = await forgetful(connections)
  expect(await send({ method: 'GET' })).toBe(200)
  await expect(send(request)).rejects.toMatchObject({ code: expect.stringMatching(/^(?:ECONNRESET|EPIPE)$/) })
  expect(accepted).toHaveLength(1)
})

test('a new connection that is closed without an answer fails at once', async () => {
  using connections = new Connections()
  let count = 0
  server = createServer((socket) => {
    count++
    socket.on('error', () => undefined)
    socket.once('data', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = new URL(`http://127.0.0.1:${port}/`)
  await expect(exchange(connections, { method: 'GET', url })).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(count).toBe(1)
})

test('a long body leaves nothing behind of its pieces', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  server = createServer((socket) => {
    let sent = 0
    socket.on('data', (bytes) => {
      sent += bytes.length
      if (sent > PIECES * 1000) socket.end(OK)
    })
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const heaps: number[] = []
  function* pieces(): Generator<Uint8Array> {
    const piece = Buffer.alloc(1000)
    for (let i = 0; i < PIECES; i++) {
      if (i === 1000 || i === PIECES - 1) {
        collect()
        heaps.push(process.memoryUsage().heapUsed)
      }
      yield piece
    }
  }
  using connections = new Connections()
  const body = { pieces, sizeBytes: PIECES * 1000, isLent: true }
  const url = new URL(`http://127.0.0.1:${port}/x`)
  await finish(await exchange(connections, { method: 'PUT', url, body }))
  expect((heaps[1] ?? 0) - (heaps[0] ?? 0)).toBeLessThan(PIECES * 100)
})

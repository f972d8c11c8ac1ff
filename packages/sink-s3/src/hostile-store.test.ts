import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { s3Sink } from './s3-sink.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A sink in a store that answers every request alike. */
async function sinkOf(answer: (response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    request.resume()
    answer(response)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const keys = { accessKeyId: 'key', secretAccessKey: 'secret' }
  return s3Sink({ name: 's3', bucket: 'bucket', endpoint: `http://127.0.0.1:${port}`, ...keys })
}

const HEAD = '<?xml version="1.0"?><ListBucketResult><Name>bucket</Name>'

test.for([
  [200, 'no end'],
  [403, 'access denied'],
] as const)(
  'an answer of %i without end is an error, and takes no more memory than a page',
  async ([status, message]) => {
    let sent = 0
    const more = Buffer.alloc(1024 * 1024, `<Contents><Key>${'k'.repeat(900)}</Key></Contents>`)
    const sink = await sinkOf((response) => {
      response.writeHead(status, { 'content-type': 'application/xml' })
      response.write(HEAD)
      const next = (): void => {
        sent += more.length
        if (!response.destroyed) response.write(more, next)
      }
      next()
    })
    await expect(Array.fromAsync(sink.list('packs/'))).rejects.toMatchObject({
      name: 'SinkError',
      message: expect.stringContaining(message),
    })
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  },
)

test('entities that stand for gigabytes are not put in their place', async () => {
  const levels = Array.from({ length: 12 }, (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(12)}">`)
  const bomb = `<?xml version="1.0"?><!DOCTYPE b [<!ENTITY e0 "${'x'.repeat(64)}">${levels.join('')}]>`
  const sink = await sinkOf((response) => {
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.end(
      `${bomb}<ListBucketResult><Contents><Key>packs/&e12;</Key><Size>1</Size></Contents></ListBucketResult>`,
    )
  })
  const before = process.memoryUsage.rss()
  const listed = await Array.fromAsync(sink.list('packs/')).catch((error: unknown) => error)
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024)
  expect(JSON.stringify(listed).length).toBeLessThan(10_000)
})

test('an answer that sends the request elsewhere is not followed: credentials go to no other host', async () => {
  const seen: string[] = []
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization ?? '')
    response.end()
  }).listen(0, '127.0.0.1')
  servers.push(elsewhere)
  await new Promise((resolve) => elsewhere.once('listening', resolve))
  const { port } = elsewhere.address() as AddressInfo
  const sink = await sinkOf((response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end()
  })
  await expect(sink.put('vault.json', Buffer.from('{}'))).rejects.toMatchObject({ name: 'SinkError' })
  await expect(Array.fromAsync(sink.list(''))).rejects.toMatchObject({ name: 'SinkError' })
  expect(seen).toEqual([])
})

import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startApache } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { webdavSink } from './webdav-sink.ts'

test('a server that answers a MOVE with 201, and moves nothing, is not believed, and nothing is left', async () => {
  await using apache = await startApache()
  const place = apache.makeCollection('basic')
  const { user, password } = apache
  const server = createServer((asked, answer) => {
    if (asked.method === 'MOVE') return void answer.writeHead(201).end()
    const { method, headers } = asked
    const sent = request(new URL(asked.url ?? '/', place.url), { method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 500, got.headers)
      got.pipe(answer)
    })
    asked.pipe(sent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(place.url)
  url.port = String((server.address() as AddressInfo).port)
  const sink = webdavSink({ name: 'dav', user, password, url: url.href })
  try {
    await expect(sink.put('object', Buffer.from('bytes'))).rejects.toMatchObject({
      code: 'protocol',
      key: 'object',
      message: expect.stringContaining('has nothing under its name'),
    })
    const keys: string[] = []
    for await (const { key } of sink.list('')) keys.push(key)
    expect(keys).toEqual([])
  } finally {
    await sink[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
  }
})

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sink } from '@pipe-backup/sink'
import { type ApacheServer, startApache } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { webdavSink } from './webdav-sink.ts'

let apache: ApacheServer
beforeAll(async () => {
  apache = await startApache()
})
afterAll(() => apache[Symbol.asyncDispose]())

/** What another server does otherwise than Apache. */
interface Quirk {
  /** @returns whether it has answered */
  readonly refuse?: (asked: IncomingMessage, answer: ServerResponse) => boolean
  readonly change?: (got: IncomingMessage) => void
}

async function sinkOn({ refuse, change }: Quirk): Promise<Sink> {
  const place = apache.makeCollection('basic')
  const { user, password } = apache
  const server = createServer((asked, answer) => {
    if (refuse?.(asked, answer)) return
    const { method, headers } = asked
    const sent = request(new URL(asked.url ?? '/', place.url), { method, headers }, (got) => {
      change?.(got)
      answer.writeHead(got.statusCode ?? 500, got.headers)
      got.pipe(answer)
    })
    asked.pipe(sent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(place.url)
  url.port = String((server.address() as AddressInfo).port)
  const sink = webdavSink({ name: 'dav', user, password, url: url.href })
  onTestFinished(async () => {
    await sink[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
  })
  return sink
}

test('a server that answers a MOVE with 201, and moves nothing, is not believed, and nothing is left', async () => {
  const refuse: Quirk['refuse'] = ({ method }, answer) =>
    method === 'MOVE' && answer.writeHead(201).end() !== undefined
  const sink = await sinkOn({ refuse })
  await expect(sink.put('object', Buffer.from('bytes'))).rejects.toMatchObject({
    code: 'protocol',
    key: 'object',
    message: expect.stringContaining('has nothing under its name'),
  })
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  expect(keys).toEqual([])
})

test.for([
  ['PROPFIND', 'Is the address that of a WebDAV collection?'],
  ['MOVE', 'Have its administrator allow MOVE.'],
  ['DELETE', 'Have its administrator allow DELETE.'],
])('a server that does not do %s is reported as that', async ([refused, hint]) => {
  const refuse: Quirk['refuse'] = ({ method }, answer) =>
    method === refused && answer.writeHead(405).end() !== undefined
  const sink = await sinkOn({ refuse })
  const act = async (): Promise<void> => {
    await sink.put('object', Buffer.from('bytes'))
    await sink.delete('object')
  }
  const message = expect.stringContaining(`the server does not do ${refused} here`)
  await expect(act()).rejects.toMatchObject({ code: 'protocol', message, hint })
})

test('a server that says of a part that the name is taken, and not of the MOVE', async () => {
  const refuse: Quirk['refuse'] = ({ method, url = '', headers }, answer) => {
    if (method !== 'MOVE' || headers['overwrite'] !== 'F' || !isTaken) return false
    const part = `<response><href>${url}</href><status>HTTP/1.1 412 Precondition Failed</status></response>`
    answer.writeHead(207, { 'Content-Type': 'application/xml' })
    return answer.end(`<multistatus xmlns="DAV:">${part}</multistatus>`) !== undefined
  }
  let isTaken = false
  const sink = await sinkOn({ refuse })
  await sink.put('object', Buffer.from('first'))
  isTaken = true
  await sink.put('object', Buffer.from('second'))
  expect(String(await sink.get('object'))).toBe('second')
  await expect(sink.put('object', Buffer.from('third'), { ifAbsent: true })).rejects.toMatchObject({
    code: 'exists',
  })
  expect(String(await sink.get('object'))).toBe('second')
})

test('a server that gives a range, and does not say how long the object is', async () => {
  const change: Quirk['change'] = ({ headers }) => {
    const range = headers['content-range']
    if (range !== undefined) headers['content-range'] = range.replace(/\/\d+$/, '/*')
  }
  const sink = await sinkOn({ change })
  await sink.put('object', Buffer.from('0123456789'))
  expect(String(await sink.get('object', { offset: 2, length: 3 }))).toBe('234')
  expect(String(await sink.get('object', { offset: 7 }))).toBe('789')
  expect(String(await sink.get('object', { offset: 7, length: 3 }))).toBe('789')
  await expect(sink.get('object', { offset: 7, length: 4 })).rejects.toMatchObject({ code: 'range' })
})

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sink } from '@pipe-backup/sink'
import {
  type ApacheFlavour,
  type ApacheServer,
  type DavCollection,
  startApache,
  startConnectProxy,
  startTamperingProxy,
} from '@pipe-backup-test/services'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { AuthType, createClient } from 'webdav'
import { type WebdavSinkOptions, webdavSink } from './webdav-sink.ts'

const MIB = 1024 * 1024
/** More than is kept back to know its length. */
const LONG = 10 * MIB

let apache: ApacheServer
beforeAll(async () => {
  apache = await startApache()
})
afterAll(() => apache[Symbol.asyncDispose]())
afterEach(() => void vi.unstubAllEnvs())

function open(
  options: Partial<WebdavSinkOptions> = {},
  flavour: ApacheFlavour = 'basic',
): { sink: Sink; place: DavCollection } {
  const place = apache.makeCollection(flavour)
  const { user, password } = apache
  const sink = webdavSink({ name: 'dav', user, password, url: place.url, ...options })
  onTestFinished(() => sink[Symbol.asyncDispose]())
  return { sink, place }
}

function write(sink: Sink, key: string, bytes: Buffer): Promise<void> {
  const parts = function* () {
    for (let at = 0; at < bytes.length; at += 300_007) yield bytes.subarray(at, at + 300_007)
  }
  return pipeline(Readable.from(parts()), sink.createWriteStream(key))
}

const ways = { put: (sink: Sink, key: string, bytes: Buffer) => sink.put(key, bytes), 'a stream': write }

for (const [way, send] of Object.entries(ways)) {
  test.for([1000, LONG])(
    `${way} of %i bytes that were changed on their way is corrupt, and leaves nothing`,
    async (length) => {
      const proxy = await startTamperingProxy(apache, 'the first', 'the worst')
      onTestFinished(() => proxy[Symbol.asyncDispose]())
      const place = apache.makeCollection()
      const { sink } = open({ url: place.url.replace(`:${apache.port}`, `:${proxy.port}`) })
      const bytes = Buffer.alloc(length, 'x')
      bytes.write('the first', 500)
      await expect(send(sink, 'object', bytes)).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
      expect(readdirSync(place.local)).toEqual([])
    },
  )

  test(`${way} of more than a request may have is too large, with what to do about it`, async () => {
    const { sink, place } = open({}, 'limited')
    await send(sink, 'small', Buffer.alloc(1000))
    await expect(send(sink, 'large', Buffer.alloc(LONG))).rejects.toMatchObject({
      code: 'too-large',
      hint: expect.stringContaining('limit'),
    })
    expect(readdirSync(place.local)).toEqual(['small'])
  })

  test(`${way} with readBack: false has its size asked`, async () => {
    const { sink } = open({ readBack: false })
    await send(sink, 'object', Buffer.alloc(LONG, 1))
    expect((await sink.head('object'))?.sizeBytes).toBe(LONG)
  })

  test(`${way} at a key that other keys lead through is refused, and removes nothing`, async () => {
    const { sink } = open()
    await sink.put('packs/ab/object', Buffer.from('kept'))
    await expect(send(sink, 'packs', Buffer.from('new'))).rejects.toMatchObject({ code: 'refused-key' })
    expect(Buffer.from(await sink.get('packs/ab/object')).toString()).toBe('kept')
  })
}

test('a key that other keys lead through is not deleted with all of them', async () => {
  const { sink } = open()
  await sink.put('packs/ab/object', Buffer.from('kept'))
  await expect(sink.delete('packs')).rejects.toMatchObject({ code: 'refused-key' })
  expect([...(await sink.deleteMany(['packs/ab'])).keys()]).toEqual(['packs/ab'])
  expect(Buffer.from(await sink.get('packs/ab/object')).toString()).toBe('kept')
})

test('what a killed client has left is removed a day later, when it is listed, and nothing else', async () => {
  const { sink, place } = open()
  await sink.put('packs/object', Buffer.from('bytes'))
  const names = ['.pb-000000000000000000000000.tmp', '.pb-111111111111111111111111.tmp', '.other.tmp']
  for (const name of names) writeFileSync(join(place.local, 'packs', name), 'half')
  for (const name of [names[0], names[2]]) utimesSync(join(place.local, 'packs', name ?? ''), 1, 1)
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  expect(keys).toEqual(['packs/object'])
  expect(readdirSync(join(place.local, 'packs')).sort()).toEqual([names[2], names[1], 'object'])
})

test('who may not delete can put, read and list, and a refused delete is forbidden', async () => {
  const { sink } = open({}, 'append-only')
  await sink.put('packs/object', Buffer.from('bytes'))
  await expect(sink.delete('packs/object')).rejects.toMatchObject({ code: 'forbidden', retryable: false })
  expect((await sink.head('packs/object'))?.sizeBytes).toBe(5)
})

test('a redirect is not followed: its address is reported', async () => {
  const { sink } = open({}, 'moved')
  const error = await sink.put('object', Buffer.from('bytes')).catch((failure: unknown) => failure)
  expect(error).toMatchObject({
    code: 'protocol',
    hint: expect.stringContaining('http://localhost:1/elsewhere'),
  })
})

test('a nonce that has become stale is renewed, for streams too', async () => {
  const { sink } = open({}, 'digest')
  await sink.put('one', Buffer.from('bytes'))
  await new Promise((resolve) => setTimeout(resolve, 3200))
  await write(sink, 'streamed', Buffer.alloc(LONG))
  await new Promise((resolve) => setTimeout(resolve, 3200))
  await sink.put('two', Buffer.alloc(3 * MIB))
  expect((await sink.head('streamed'))?.sizeBytes).toBe(LONG)
})

test('TLS: a certificate of an authority that is trusted, and of none', async () => {
  const { port, ca } = apache.tls
  const place = apache.makeCollection()
  const url = `https://127.0.0.1:${port}${place.path}`
  await open({ url, ca }).sink.put('object', Buffer.from('bytes'))
  expect(readdirSync(place.local)).toEqual(['object'])
  await expect(open({ url }).sink.head('object')).rejects.toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('`ca`'),
  })
  const plain = `https://127.0.0.1:${apache.port}${place.path}`
  await expect(open({ url: plain }).sink.head('object')).rejects.toMatchObject({ code: 'protocol' })
})

test('TLS goes through the proxy of HTTPS_PROXY, but to what NO_PROXY names', async () => {
  const { port, ca } = apache.tls
  const place = apache.makeCollection()
  const url = `https://127.0.0.1:${port}${place.path}`
  const server = `127.0.0.1:${port}`
  await using proxy = await startConnectProxy()
  vi.stubEnv('HTTPS_PROXY', proxy.url)
  const { sink } = open({ url, ca })
  await sink.put('object', Buffer.alloc(3 * MIB, 7))
  expect(Buffer.from(await sink.get('object')).equals(Buffer.alloc(3 * MIB, 7))).toBe(true)
  expect(new Set(proxy.asked)).toEqual(new Set([server]))
  await expect(open({ url }).sink.head('object')).rejects.toMatchObject({ code: 'unauthorized' })
  const { length } = proxy.asked
  vi.stubEnv('NO_PROXY', '127.0.0.1')
  expect((await open({ url, ca }).sink.head('object'))?.sizeBytes).toBe(3 * MIB)
  expect(proxy.asked).toHaveLength(length)
})

test('a proxy that makes no connection is named', async () => {
  await using proxy = await startConnectProxy({ lets: false })
  vi.stubEnv('HTTPS_PROXY', proxy.url.replace('//', '//joe:secret@'))
  const failed = await open({ url: 'https://dav.example/place' })
    .sink.head('object')
    .catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('HTTPS_PROXY') })
  expect(String(failed)).not.toContain('secret')
  expect(proxy.asked).toEqual(['dav.example:443'])
})

test('create makes the collection, and those above it', async () => {
  const { sink, place } = open()
  const { sink: below } = open({ url: `${place.url}a/b%20c`, create: true })
  await below.put('packs/object', Buffer.from('bytes'))
  expect(existsSync(join(place.local, 'a/b c/packs/object'))).toBe(true)
  expect(await sink.head('packs/object')).toBeUndefined()
})

test('a page that is no WebDAV is one clear line', async () => {
  const { sink } = open({ url: `http://127.0.0.1:${apache.port}/` })
  await expect(sink.head('object')).rejects.toMatchObject({ code: 'protocol' })
})

test('the `webdav` client sees the objects, and what it stores is an object', async () => {
  const { sink, place } = open()
  // Given as it is, for it can't encode the password of this server.
  const login = Buffer.from(`${apache.user}:${apache.password}`).toString('base64')
  const headers = { Authorization: `Basic ${login}` }
  const client = createClient(place.url, { authType: AuthType.None, headers })
  const bytes = createHash('sha512').update('some').digest()
  await sink.put('packs/ab/object', bytes)
  const contents = await client.getFileContents('/packs/ab/object')
  expect(Buffer.from(contents as ArrayBuffer).equals(bytes)).toBe(true)
  await client.putFileContents('/packs/other', bytes)
  expect(Buffer.compare(await sink.get('packs/other'), bytes)).toBe(0)
})

test('names that are no keys are left out', async () => {
  const { sink, place } = open()
  await sink.put('object', Buffer.from('bytes'))
  for (const name of ['ÄÖ', 'a b', '.hidden', 'UPPER', '100%']) writeFileSync(join(place.local, name), '')
  mkdirSync(join(place.local, 'Upper case'))
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  expect(keys).toEqual(['object'])
})

test.for([
  [{ url: 'cloud.example.com/dav' }, '`url`'],
  [{ url: 'ftp://h/' }, '`url`'],
  [{ url: 'https://u:p@h/' }, 'credentials'],
  [{ url: 'https://h/?a=b' }, '`url`'],
  [{ url: 'https://h/', password: 'a' }, 'belong together'],
  [{ url: 'https://h/', user: 'a', password: 'b', token: 'c' }, '`token`'],
] as const)('%j is refused, and names the option', ([options, named]) => {
  expect(() => webdavSink({ name: 'dav', ...options })).toThrow(named)
})

test('a wrong password is one clear line without it', async () => {
  const { sink } = open({ password: 'hunter2' })
  const error = await sink.head('object').catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'unauthorized' })
  expect(JSON.stringify(error) + String(error)).not.toContain('hunter2')
})

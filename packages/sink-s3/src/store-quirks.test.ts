import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sink } from '@pipe-backup/sink'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { S3SinkOptions } from './s3-options.ts'
import { s3Sink } from './s3-sink.ts'
import { keysIn, newBucket } from './test-support/bucket.ts'
import {
  type QuirkyStore,
  quirkyStore,
  type SeenRequest,
  type StoreAnswer,
} from './test-support/quirky-store.ts'

const MIB = 1024 * 1024
const SMALL = Buffer.from('what was sent')
const NOT_IMPLEMENTED = Buffer.from('<Error><Code>NotImplemented</Code></Error>')

let server: S3Server
let store: QuirkyStore
beforeAll(async () => {
  server = await startS3()
  store = await quirkyStore(server.endpoint)
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** A sink in a store that has these quirks from now on; the requests from now on are counted. */
async function sinkIn(quirks: QuirkyStore['quirks'], options: Partial<S3SinkOptions> = {}): Promise<Sink> {
  store.quirks = {}
  const sink = s3Sink({ ...newBucket(server), endpoint: store.endpoint, partBytes: 5 * MIB, ...options })
  await sink.list('')[Symbol.asyncIterator]().next()
  store.quirks = quirks
  store.requests.length = 0
  return sink
}

function methods(): string[] {
  return store.requests.map(({ method }) => method)
}

/** Of an object: not of a listing. */
function isRead({ method, url }: SeenRequest): boolean {
  return method === 'GET' && url.includes('x-id=GetObject')
}

function stream(): Readable {
  return Readable.from(Array.from({ length: 12 }, (_, i) => Buffer.alloc(MIB, i)))
}

/** As Amazon does. */
function echo(answer: StoreAnswer, { method, headers }: SeenRequest): StoreAnswer {
  const sha256 = headers['x-amz-checksum-sha256']
  const isStored = method === 'PUT' && answer.status === 200 && typeof sha256 === 'string'
  return isStored ? { ...answer, headers: { ...answer.headers, 'x-amz-checksum-sha256': sha256 } } : answer
}

/** As with SSE-KMS, and of stores that have their own. Parts are named by their ETags: those stay. */
function withoutMd5(answer: StoreAnswer, { method, url }: SeenRequest): StoreAnswer {
  if (url.includes('partNumber=') || url.includes('?uploads')) return answer
  const headers = 'etag' in answer.headers ? { ...answer.headers, etag: '"other"' } : answer.headers
  const isXml = method === 'POST'
  const body = isXml
    ? answer.body.toString().replace(/<ETag>.*?<\/ETag>/, '<ETag>"other"</ETag>')
    : answer.body
  return { ...answer, headers, body: Buffer.from(body) }
}

test('of a store that says nothing of SHA-256 the ETag is the proof, and nothing is read back', async () => {
  await using sink = await sinkIn({})
  await sink.put('object', SMALL)
  await pipeline(stream(), sink.createWriteStream('stream'))
  expect(store.requests.filter(isRead)).toEqual([])
})

test('of a store that echoes SHA-256 no MD5 is asked any more', async () => {
  await using sink = await sinkIn({ change: (answer, seen) => withoutMd5(echo(answer, seen), seen) })
  for (const key of ['one', 'two', 'three']) await sink.put(key, SMALL)
  expect(methods()).toEqual(['PUT', 'PUT', 'PUT'])
  expect(store.requests.map(({ headers }) => 'content-md5' in headers)).toEqual([true, false, false])
})

test('a SHA-256 that is echoed and is another is damage', async () => {
  const wrong = Buffer.alloc(32).toString('base64')
  const change = (answer: StoreAnswer, seen: SeenRequest) => {
    const echoed = echo(answer, seen)
    const isEchoed = 'x-amz-checksum-sha256' in echoed.headers
    return isEchoed ? { ...echoed, headers: { ...echoed.headers, 'x-amz-checksum-sha256': wrong } } : echoed
  }
  await using sink = await sinkIn({ change })
  await expect(sink.put('object', SMALL)).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
})

test('from a store that proves nothing all is read back, and onBytes hears of it', async () => {
  await using sink = await sinkIn({ change: withoutMd5 })
  let toldBytes = 0
  const onBytes = async (sizeBytes: number) => {
    toldBytes += sizeBytes
  }
  await sink.put('object', SMALL, { onBytes })
  expect([methods(), toldBytes]).toEqual([['PUT', 'GET'], 2 * SMALL.length])
  await pipeline(stream(), sink.createWriteStream('stream'))
  expect(store.requests.filter(isRead).length).toBe(2)
})

test.for([
  ['a byte is another', (body: Buffer) => body.map((byte, i) => (i === body.length - 1 ? byte ^ 1 : byte))],
  ['it is short', (body: Buffer) => body.subarray(0, -1)],
  ['it is long', (body: Buffer) => Buffer.concat([body, Buffer.of(0)])],
  ['it is empty', () => Buffer.alloc(0)],
] as const)('what is read back is damage when %s', async ([, damage]) => {
  const change = (answer: StoreAnswer, seen: SeenRequest) => {
    const said = withoutMd5(answer, seen)
    return isRead(seen) ? { ...said, body: Buffer.from(damage(answer.body)) } : said
  }
  await using sink = await sinkIn({ change })
  await expect(sink.put('object', SMALL)).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
  await expect(pipeline(stream(), sink.createWriteStream('stream'))).rejects.toMatchObject({
    code: 'corrupt',
  })
})

test('what another has replaced before it was read back is no damage', async () => {
  let eTags = 0
  const change = (answer: StoreAnswer) => {
    const headers = { ...answer.headers, etag: `"${++eTags}"` }
    return { ...answer, headers, body: Buffer.from(answer.body).fill(0) }
  }
  await using sink = await sinkIn({ change })
  await expect(sink.put('object', SMALL)).resolves.toBeUndefined()
})

test('a store that refuses the checksum’s header, or any, is asked without, and not again', async () => {
  const refuse = ({ headers }: SeenRequest) =>
    'x-amz-checksum-sha256' in headers ? { status: 501, body: NOT_IMPLEMENTED } : undefined
  await using sink = await sinkIn({ refuse })
  await sink.put('one', SMALL)
  await sink.put('two', SMALL)
  expect(methods()).toEqual(['PUT', 'PUT', 'PUT'])
  expect(Buffer.from(await sink.get('two'))).toEqual(SMALL)
})

test.for([
  ['puts', ({ method }: SeenRequest) => method === 'PUT'],
  ['puts and of uploads in parts', () => true],
] as const)(
  'in a store that refuses the condition of %s ifAbsent is kept by looking before',
  async ([what, isRefused]) => {
    const isAsked = ({ headers }: SeenRequest) => 'if-none-match' in headers
    const refuse = (seen: SeenRequest) =>
      isAsked(seen) && isRefused(seen) ? { status: 501, body: NOT_IMPLEMENTED } : undefined
    await using sink = await sinkIn({ refuse })
    const only = { ifAbsent: true }
    await sink.put('object', SMALL, only)
    await pipeline(stream(), sink.createWriteStream('stream', only))
    const ended = store.requests.filter(({ method, url }) => method === 'POST' && url.includes('uploadId'))
    expect(ended.map(isAsked)).toEqual(what === 'puts' ? [true] : [true, false])
    const taken = { code: 'exists' }
    await expect(sink.put('object', Buffer.from('other'), only)).rejects.toMatchObject(taken)
    await expect(pipeline(stream(), sink.createWriteStream('stream', only))).rejects.toMatchObject(taken)
    expect(Buffer.from(await sink.get('object'))).toEqual(SMALL)
  },
)

test('a store that takes the condition and does not keep it is not asked to', async () => {
  await using sink = await sinkIn({})
  await sink.put('object', SMALL)
  store.requests.length = 0
  await expect(sink.put('object', Buffer.from('other'), { ifAbsent: true })).rejects.toMatchObject({
    code: 'exists',
  })
  expect(methods()).toEqual(['HEAD'])
})

test('a store that deletes one by one alone, and misses what is not there, deletes many', async () => {
  const refuse = ({ method, url }: SeenRequest) => {
    if (method === 'POST' && url.includes('?delete')) return { status: 501, body: NOT_IMPLEMENTED }
    const missed = Buffer.from('<Error><Code>NoSuchKey</Code></Error>')
    return method === 'DELETE' && url.includes('absent') ? { status: 404, body: missed } : undefined
  }
  await using sink = await sinkIn({ refuse })
  for (const key of ['a', 'b', 'c']) await sink.put(key, SMALL)
  expect(await sink.deleteMany(['a', 'absent', 'b'])).toEqual(new Map())
  await sink.delete('absent')
  expect(await keysIn(sink)).toEqual(['c'])
})

/** Listings, with their text changed. */
function listings(change: (xml: string) => string): QuirkyStore['quirks'] {
  return {
    change: (answer, { method, url }) =>
      method === 'GET' && url.includes('list-type=2')
        ? { ...answer, body: Buffer.from(change(answer.body.toString())) }
        : answer,
  }
}

test('a listing that does not encode names is read as it stands', async () => {
  const asIs = (xml: string) =>
    decodeURIComponent(xml.replace(/<EncodingType>url<\/EncodingType>/, '')).replaceAll('&', '&amp;')
  await using sink = await sinkIn(listings(asIs), { prefix: 'a+b %41 &c' })
  await sink.put('object', SMALL)
  expect(await keysIn(sink)).toEqual(['object'])
})

test('a listing that is cut and does not go on, or that is none, is an error', async () => {
  const cut = (xml: string) => xml.replace('<IsTruncated>false', '<IsTruncated>true')
  for (const change of [
    cut,
    (xml: string) =>
      cut(xml).replace('</ListBucketResult>', '<NextContinuationToken>t</NextContinuationToken>$&'),
    (xml: string) => xml.replace(/<Size>\d+<\/Size>/, ''),
    (xml: string) => xml.replace(/<LastModified>.*?<\/LastModified>/, ''),
    (xml: string) => xml.slice(0, xml.length / 2),
    () => '<html>the portal of this hotel</html>',
    () => '',
  ]) {
    await using sink = await sinkIn(listings(change))
    await sink.put('object', SMALL)
    await expect(keysIn(sink), String(change)).rejects.toMatchObject({ name: 'SinkError' })
  }
})

test('an answer that says nothing of a key to be deleted has not deleted it', async () => {
  const change = (answer: StoreAnswer, { url }: SeenRequest) => {
    if (!url.includes('?delete')) return answer
    const body = answer.body.toString().replace(/<Deleted><Key>b<.*?<\/Deleted>/, '')
    return { ...answer, body: Buffer.from(body) }
  }
  await using sink = await sinkIn({ change })
  for (const key of ['a', 'b']) await sink.put(key, SMALL)
  const failed = await sink.deleteMany(['a', 'b', 'absent'])
  expect([...failed].map(([key, { code }]) => [key, code])).toEqual([['b', 'protocol']])
})

test.for([
  ['all, for it knows no ranges', { status: 200, headers: {}, body: SMALL }],
  [
    'another range',
    { status: 206, headers: { 'content-range': 'bytes 1-4/13' }, body: SMALL.subarray(1, 5) },
  ],
  ['more than was asked for', { status: 206, headers: { 'content-range': 'bytes 0-12/13' }, body: SMALL }],
  [
    'less than it says',
    { status: 206, headers: { 'content-range': 'bytes 0-3/13' }, body: SMALL.subarray(0, 3) },
  ],
  ['no word of which', { status: 206, headers: {}, body: SMALL.subarray(0, 4) }],
  ['nonsense', { status: 206, headers: { 'content-range': 'bytes */*' }, body: SMALL.subarray(0, 4) }],
] as const)('a range is never other bytes: a store that gives %s', async ([, answer]) => {
  await using sink = await sinkIn({ refuse: ({ method }) => (method === 'GET' ? answer : undefined) })
  await expect(sink.get('object', { offset: 0, length: 4 })).rejects.toMatchObject({ code: 'protocol' })
  await expect(sink.createReadStream('object', { offset: 0, length: 4 })).rejects.toMatchObject({
    code: 'protocol',
  })
})

test('a store that gives a range, and does not say how long the object is', async () => {
  const change = ({ headers, ...answer }: StoreAnswer) => {
    const range = headers['content-range']?.replace(/\/\d+$/, '/*')
    return { ...answer, headers: { ...headers, ...(range && { 'content-range': range }) } }
  }
  await using sink = await sinkIn({ change })
  await sink.put('object', SMALL)
  expect(await sink.get('object', { offset: 2, length: 3 })).toEqual(SMALL.subarray(2, 5))
  expect(await sink.get('object', { offset: 7 })).toEqual(SMALL.subarray(7))
  const tooLong = { offset: 7, length: SMALL.length }
  await expect(sink.get('object', tooLong)).rejects.toMatchObject({ code: 'range' })
})

test('credentials that may put and no more get a clear error of what they may not', async () => {
  const refuse = ({ method }: SeenRequest) => (method === 'PUT' ? undefined : { status: 403 })
  await using sink = await sinkIn({ refuse })
  await sink.put('object', SMALL)
  await expect(sink.head('object')).rejects.toMatchObject({ code: 'forbidden' })
  await expect(sink.put('object', SMALL, { ifAbsent: true })).rejects.toMatchObject({ code: 'forbidden' })
})

test.for([SMALL, Buffer.alloc(0)])(
  'a store that gives the object where its lock is asked for is not asked to lock it',
  async (bytes) => {
    const object = { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: bytes }
    const refuse = ({ url }: SeenRequest) => (url.includes('retention') ? object : undefined)
    const locked = { objectLock: { mode: 'governance', days: 1 } } as const
    await using sink = await sinkIn({ refuse }, locked)
    const failure = { code: 'protocol', message: expect.stringContaining('locks no objects') }
    await expect(sink.put('object', bytes)).rejects.toMatchObject(failure)
    await expect(pipeline(stream(), sink.createWriteStream('stream'))).rejects.toMatchObject(failure)
    await expect(sink.renewLock?.('object', new Date(0))).rejects.toMatchObject(failure)
    expect(store.requests.filter(({ method, url }) => method === 'PUT' && url.includes('retention'))).toEqual(
      [],
    )
  },
)

test('a store that answers what it should not is an error that may say so to nobody’s harm', async () => {
  for (const answer of [
    { status: 200, body: Buffer.from('<Error><Code>InternalError</Code></Error>') },
    { status: 302, headers: { location: 'http://127.0.0.1:9/' } },
    { status: 418, body: Buffer.from('teapot') },
  ]) {
    await using sink = await sinkIn({ refuse: ({ method }) => (method === 'GET' ? undefined : answer) })
    const streaming = pipeline(stream(), sink.createWriteStream('stream'))
    await expect(streaming, String(answer.status)).rejects.toMatchObject({ name: 'SinkError' })
    await expect(sink.deleteMany(['a']), String(answer.status)).rejects.toMatchObject({ name: 'SinkError' })
  }
})

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Sink } from '@pipe-backup/sink'
import { describeSink } from '@pipe-backup/sink/conformance'
import { type SwiftServer, startSwift } from '@pipe-backup-test/services'
import { afterAll, expect, test } from 'vitest'
import type { S3SinkOptions } from './s3-options.ts'
import { s3Sink } from './s3-sink.ts'
import { keysIn } from './test-support/bucket.ts'
import { quirkyStore } from './test-support/quirky-store.ts'
import { suitePlaces } from './test-support/suite-places.ts'

const MIB = 1024 * 1024
const server: SwiftServer = await startSwift()
afterAll(() => server[Symbol.asyncDispose]())

const { endpoint, accessKeyId, secretAccessKey } = server
const { store, newPrefix, suite } = await suitePlaces('swift', server)
/** Of the place that a test opened last. */
let prefix = ''

describeSink('s3 on Swift', {
  ...suite,
  // Three pages.
  listed: 250,
  // Of several puts at once more than one may succeed: Swift takes no condition with them.
  ifAbsent: false,
})

const ONLY = { ifAbsent: true }
const TAKEN = { code: 'exists' }
const PATIENT = { timeout: 30_000 }

function newSink(options: Partial<S3SinkOptions> = {}): Sink {
  prefix = options.prefix ?? newPrefix()
  return s3Sink({ ...store, partBytes: 5 * MIB, ...options, prefix })
}

/** Of three parts. */
function stream(): Readable {
  return Readable.from(Array.from({ length: 12 }, (_, i) => Buffer.alloc(MIB, i)))
}

test('ifAbsent never replaces what was stored before, whether it came whole or in parts', async () => {
  await using sink = newSink()
  await sink.put('whole', Buffer.from('first'), ONLY)
  await pipeline(stream(), sink.createWriteStream('parts', ONLY))
  for (const key of ['whole', 'parts']) {
    await expect(sink.put(key, Buffer.from('second'), ONLY)).rejects.toMatchObject(TAKEN)
    await expect(pipeline(stream(), sink.createWriteStream(key, ONLY))).rejects.toMatchObject(TAKEN)
  }
  expect(Buffer.from(await sink.get('whole')).toString()).toBe('first')
  expect((await sink.head('parts'))?.sizeBytes).toBe(12 * MIB)
})

test('ifAbsent never replaces by a stream in parts, not even what another stores in the meantime', async () => {
  await using late = await quirkyStore(endpoint)
  await using other = newSink()
  await using sink = newSink({ prefix, endpoint: late.endpoint })
  await other.put('object', Buffer.from('first'))
  // As if it had come after this was asked.
  late.quirks = { refuse: ({ method }) => (method === 'HEAD' ? { status: 404 } : undefined) }
  await expect(pipeline(stream(), sink.createWriteStream('object', ONLY))).rejects.toMatchObject(TAKEN)
  expect(Buffer.from(await other.get('object')).toString()).toBe('first')
  expect(await stored()).toEqual([])
})

test('no parts are left of what was deleted or given up', async () => {
  await using sink = newSink()
  await pipeline(stream(), sink.createWriteStream('one'))
  await pipeline(stream(), sink.createWriteStream('two'))
  await pipeline(stream(), sink.createWriteStream('three'))
  expect((await stored()).length).toBe(9)
  await sink.delete('one')
  expect(await sink.deleteMany(['two', 'three'])).toEqual(new Map())
  const failing = async function* () {
    yield* stream()
    throw new Error('given up')
  }
  await expect(pipeline(failing, sink.createWriteStream('failed'))).rejects.toThrow('given up')
  // They go when the stream is closed, which is after its failure.
  await expect.poll(stored, PATIENT).toEqual([])
  expect(await keysIn(sink)).toEqual([])
})

test('an object in parts one of which is lost is corrupt', async () => {
  await using sink = newSink()
  await pipeline(stream(), sink.createWriteStream('object'))
  const [first = ''] = await stored()
  await asSwift('DELETE', first)
  const reading = sink.get('object').then(({ length }) => length)
  await expect(reading).rejects.toMatchObject({ code: 'corrupt' })
})

test.for([
  [{ objectLock: { mode: 'governance', days: 1 } }, 'the bucket locks no objects'],
  [{ appendOnly: true }, 'Conditional object PUTs are not supported'],
  [{ serverSideEncryption: 'AES256' }, 'Server-side encryption is not supported'],
  [{ region: 'eu-west-1' }, 'the bucket is in the region us-east-1'],
] as const)('%j: an error that says what Swift has not', async ([options, message]) => {
  await using sink = newSink(options)
  for (const bytes of [Buffer.from('bytes'), Buffer.alloc(0)]) {
    const put = sink.put('object', bytes)
    await expect(put).rejects.toMatchObject({ code: 'protocol', message: expect.stringContaining(message) })
  }
})

test('an object that the listing has not heard of yet is there, and is listed later', async () => {
  await using sink = newSink()
  await sink.put('before', Buffer.from('bytes'))
  await server.withLateListings(async () => {
    await sink.put('object', Buffer.from('bytes'))
    expect(Buffer.from(await sink.get('object')).toString()).toBe('bytes')
  })
  await expect.poll(() => keysIn(sink), PATIENT).toEqual(['before', 'object'])
})

let swift: { readonly url: string; readonly headers: Record<string, string> } | undefined

/** By Swift's own interface, of the container where it keeps parts. @returns what it says */
async function asSwift(method: string, name: string): Promise<string> {
  if (!swift) {
    const auth = { 'x-auth-user': accessKeyId, 'x-auth-key': secretAccessKey }
    const { headers } = await fetch(`${endpoint}/auth/v1.0`, { headers: auth })
    const token = headers.get('x-auth-token') ?? ''
    swift = { url: headers.get('x-storage-url') ?? '', headers: { 'x-auth-token': token } }
  }
  const { url, headers } = swift
  const answer = await fetch(`${url}/${store.bucket}+segments/${name}`, { method, headers })
  if (!answer.ok) throw new Error(`${method} ${name}: ${answer.status}`)
  return await answer.text()
}

/** The parts of all objects in the place that was opened last. */
async function stored(): Promise<string[]> {
  return (await asSwift('GET', `?prefix=${prefix}/`)).split('\n').filter((line) => line !== '')
}

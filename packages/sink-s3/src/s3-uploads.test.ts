import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, ListPartsCommand, type S3Client } from '@aws-sdk/client-s3'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ObjectLocks } from './object-locks.ts'
import { S3Bucket } from './s3-bucket.ts'
import { checkOptions, type S3SinkOptions } from './s3-options.ts'
import { S3Reads } from './s3-reads.ts'
import { s3Sink } from './s3-sink.ts'
import { S3Uploads } from './s3-uploads.ts'
import { unseenQuirks } from './store-quirks.ts'
import { clientOf, keysIn, newBucket } from './test-support/bucket.ts'
import { type QuirkyStore, quirkyStore, type SeenRequest } from './test-support/quirky-store.ts'

const MIB = 1024 * 1024

let server: S3Server
let client: S3Client
let store: QuirkyStore
beforeAll(async () => {
  server = await startS3()
  client = clientOf(server)
  store = await quirkyStore(server.endpoint)
})
afterAll(async () => {
  client.destroy()
  await store[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** A bucket behind the odd store. */
function bucketBehind(quirks: QuirkyStore['quirks']): S3SinkOptions {
  store.quirks = quirks
  store.requests.length = 0
  return { ...newBucket(server), endpoint: store.endpoint }
}

async function uploadsIn({ bucket }: S3SinkOptions): Promise<string[]> {
  const { Uploads: uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  return uploads.map(({ Key = '' }) => Key)
}

function stream(sizeBytes: number, failure?: Error): Readable {
  const piece = Buffer.alloc(MIB, 'stream')
  return Readable.from(
    (function* () {
      for (let at = 0; at < sizeBytes; at += piece.length) yield piece
      if (failure) throw failure
    })(),
  )
}

const isPart = ({ method, url }: SeenRequest) => method === 'PUT' && url.includes('partNumber=')
const isComplete = ({ method, url }: SeenRequest) => method === 'POST' && /\?uploadId=/.test(url)
const isAbort = ({ method, url }: SeenRequest) => method === 'DELETE' && url.includes('uploadId=')

test('what fits in a part is one request, and a byte more is two parts', async () => {
  const bucket = bucketBehind({})
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  await pipeline(stream(5 * MIB), sink.createWriteStream('one'))
  expect(store.requests.filter(isPart).length).toBe(0)
  await pipeline(Readable.from([Buffer.alloc(5 * MIB), Buffer.alloc(1)]), sink.createWriteStream('two'))
  expect(store.requests.filter(isPart).map(({ headers }) => headers['content-length'])).toEqual([
    String(5 * MIB),
    '1',
  ])
  expect((await sink.head('two'))?.sizeBytes).toBe(5 * MIB + 1)
})

test('a stream that is destroyed, aborted, or fed by a source that fails leaves no parts', async () => {
  const bucket = bucketBehind({})
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  const failure = new Error('the source failed')
  await expect(pipeline(stream(40 * MIB, failure), sink.createWriteStream('failed'))).rejects.toBe(failure)
  const destroyed = sink.createWriteStream('destroyed')
  await new Promise((resolve) => destroyed.write(Buffer.alloc(30 * MIB), resolve))
  destroyed.destroy()
  await once(destroyed, 'close')
  const reason = new Error('no longer wanted')
  const aborting = new AbortController()
  let parts = 0
  const onBytes = async () => {
    if (++parts === 100) aborting.abort(reason)
  }
  const aborted = pipeline(
    stream(100 * MIB),
    sink.createWriteStream('aborted', { signal: aborting.signal, onBytes }),
  )
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError', cause: reason })
  expect(store.requests.filter(isPart).length).toBeGreaterThan(5)
  expect(await uploadsIn(bucket)).toEqual([])
  expect(await keysIn(sink)).toEqual([])
})

test('an upload is removed also when the stream is destroyed before the store has named it', async () => {
  const bucket = bucketBehind({})
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  const writing = sink.createWriteStream('destroyed')
  store.quirks = {
    change: (answer, { url }) => {
      if (/\?uploads/.test(url)) writing.destroy()
      return answer
    },
  }
  writing.write(Buffer.alloc(6 * MIB))
  await once(writing, 'close')
  expect(store.requests.some(isAbort)).toBe(true)
  expect(await uploadsIn(bucket)).toEqual([])
})

test('a part that fails ends the stream with its reason, and all its parts', async () => {
  const bucket = bucketBehind({
    refuse: ({ url }) => (url.includes('partNumber=3&') ? { status: 503 } : undefined),
  })
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  const failing = pipeline(stream(100 * MIB), sink.createWriteStream('failing'))
  await expect(failing).rejects.toMatchObject({ code: 'throttled', key: 'failing' })
  expect(await uploadsIn(bucket)).toEqual([])
  expect(store.requests.filter(isPart).length).toBeLessThan(9)
})

test('parts that can not be removed are removed later', async () => {
  const bucket = bucketBehind({
    refuse: (seen) => (isAbort(seen) || /partNumber=2/.test(seen.url) ? 'cut' : undefined),
  })
  const sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  await expect(pipeline(stream(30 * MIB), sink.createWriteStream('one'))).rejects.toMatchObject({
    code: 'unreachable',
  })
  expect(await uploadsIn(bucket)).toEqual(['one'])
  store.quirks = {}
  await pipeline(stream(30 * MIB), sink.createWriteStream('two'))
  expect(await uploadsIn(bucket)).toEqual([])
  store.quirks = { refuse: (seen) => (isAbort(seen) || /partNumber=2/.test(seen.url) ? 'cut' : undefined) }
  await expect(pipeline(stream(30 * MIB), sink.createWriteStream('three'))).rejects.toMatchObject({
    code: 'unreachable',
  })
  store.quirks = {}
  await sink[Symbol.asyncDispose]()
  expect(await uploadsIn(bucket)).toEqual([])
})

test('a stream whose last answer is lost has finished when the object is there, and failed when not', async () => {
  const bucket = bucketBehind({ change: (answer, seen) => (isComplete(seen) ? 'cut' : answer) })
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  await pipeline(stream(12 * MIB), sink.createWriteStream('done', { ifAbsent: true }))
  expect((await sink.head('done'))?.sizeBytes).toBe(12 * MIB)
  store.quirks = { refuse: (seen) => (isComplete(seen) ? 'cut' : undefined) }
  const lost = pipeline(stream(13 * MIB), sink.createWriteStream('done'))
  await expect(lost).rejects.toMatchObject({ code: 'unreachable' })
  expect((await sink.head('done'))?.sizeBytes).toBe(12 * MIB)
  expect(await uploadsIn(bucket)).toEqual([])
})

test('a stream with ifAbsent does not replace what came while it ran', async () => {
  const bucket = bucketBehind({})
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  const writing = sink.createWriteStream('object', { ifAbsent: true })
  await new Promise((resolve) => writing.write(Buffer.alloc(12 * MIB), resolve))
  await sink.put('object', Buffer.from('first'))
  writing.end()
  await expect(once(writing, 'finish')).rejects.toMatchObject({ code: 'exists' })
  await new Promise((resolve) => (writing.closed ? resolve(undefined) : writing.once('close', resolve)))
  expect(Buffer.from(await sink.get('object')).toString()).toBe('first')
  expect(await uploadsIn(bucket)).toEqual([])
})

test('an upload that the store ends is an error that says so', async () => {
  const body = Buffer.from('<Error><Code>NoSuchUpload</Code></Error>')
  const bucket = bucketBehind({ refuse: (seen) => (isComplete(seen) ? { status: 404, body } : undefined) })
  await using sink = s3Sink({ ...bucket, partBytes: 5 * MIB })
  const ended = pipeline(stream(12 * MIB), sink.createWriteStream('object'))
  await expect(ended).rejects.toMatchObject({ code: 'protocol', message: expect.stringContaining('ended') })
})

/** A process that writes a stream without end. */
function endlessWriter(options: S3SinkOptions): ChildProcess {
  const code = `
    import { pipeline } from 'node:stream/promises'
    import { s3Sink } from '@pipe-backup/sink-s3'
    const piece = Buffer.alloc(${MIB})
    const endless = function* () { for (;;) yield piece }
    await pipeline(endless, s3Sink(${JSON.stringify(options)}).createWriteStream('packs/killed'))`
  const args = ['--conditions=pipe-backup-src', '--input-type=module', '-e', code]
  return spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'ignore', 'inherit'] })
}

test('of a process that is killed nothing is visible, and its parts are removed when they are old', async () => {
  const bucket = { ...newBucket(server), prefix: 'backups' }
  await using sink = s3Sink(bucket)
  await sink.put('object', Buffer.from('bytes'))
  const others = s3Sink({ ...bucket, prefix: 'others', partBytes: 5 * MIB }).createWriteStream('object')
  await new Promise((resolve) => others.write(Buffer.alloc(6 * MIB), resolve))
  const writer = endlessWriter(bucket)
  for (let parts = 0; parts < 3; await sleep(20)) {
    const { Uploads: uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket.bucket }),
    )
    const killed = uploads.find(({ Key }) => Key === 'backups/packs/killed')
    if (!killed) continue
    const upload = { Bucket: bucket.bucket, Key: killed.Key, UploadId: killed.UploadId }
    parts = (await client.send(new ListPartsCommand(upload))).Parts?.length ?? 0
  }
  writer.kill('SIGKILL')
  await once(writer, 'close')
  expect(await keysIn(sink)).toEqual(['object'])
  const place = new S3Bucket(checkOptions(bucket))
  const reads = new S3Reads(place)
  const uploads = new S3Uploads(place, reads, new ObjectLocks(place), unseenQuirks())
  expect(await uploads.removeOlder(new Date(Date.now() - 60 * 60 * 1000))).toBe(0)
  expect((await uploadsIn(bucket)).sort()).toEqual(['backups/packs/killed', 'others/object'])
  expect(await uploads.removeOlder(new Date(Date.now() + 60 * 1000))).toBe(1)
  expect(await uploadsIn(bucket)).toEqual(['others/object'])
  await place.close()
  others.destroy()
  await once(others, 'close')
  expect(await uploadsIn(bucket)).toEqual([])
})

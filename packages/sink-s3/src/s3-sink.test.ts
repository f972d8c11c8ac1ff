import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as sdk from '@aws-sdk/client-s3'
import { FaultProxy } from '@pipe-backup/sink/conformance'
import { S3_KMS_KEY_ID, type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { s3Sink } from './s3-sink.ts'
import { clientOf, keysIn, newBucket } from './test-support/bucket.ts'

const MIB = 1024 * 1024
const DAY_MS = 24 * 60 * 60 * 1000

let server: S3Server
let client: sdk.S3Client
beforeAll(async () => {
  server = await startS3()
  client = clientOf(server)
})
afterAll(async () => {
  client.destroy()
  await server[Symbol.asyncDispose]()
})

function stream(sizeBytes: number): Readable {
  const piece = Buffer.alloc(MIB, 'stream')
  return Readable.from(Array.from({ length: sizeBytes / MIB }, () => piece))
}

test('a bucket is made only when that is asked for', async () => {
  const { create: _, ...options } = newBucket(server)
  await using sink = s3Sink(options)
  await expect(sink.put('object', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'protocol' })
  await expect(sink.head('object')).rejects.toThrow('no such bucket')
  await expect(sink.get('object')).rejects.toThrow('no such bucket')
  await expect(keysIn(sink)).rejects.toThrow('no such bucket')
  await using creating = s3Sink({ ...options, create: true })
  await creating.put('object', Buffer.from('bytes'))
  await creating.put('object', Buffer.from('bytes'))
  expect(await keysIn(sink)).toEqual(['object'])
})

test('a prefix with all that a path may have keeps two sinks of a bucket apart', async () => {
  const bucket = newBucket(server)
  await using odd = s3Sink({ ...bucket, prefix: "back ups/+ä%41&<x>'" })
  await using even = s3Sink({ ...bucket, prefix: 'back ups' })
  await odd.put('a/b', Buffer.from('odd'))
  await even.put('a/b', Buffer.from('even'))
  expect([await keysIn(odd), await keysIn(even)]).toEqual([['a/b'], ['a/b']])
  expect(await odd.deleteMany(['a/b'])).toEqual(new Map())
  expect([await keysIn(odd), await keysIn(even)]).toEqual([[], ['a/b']])
})

test('what others have in the bucket under names that are no keys is not listed', async () => {
  const bucket = newBucket(server)
  await using sink = s3Sink(bucket)
  await sink.put('object', Buffer.from('bytes'))
  for (const Key of ['Upper', 'a b', 'folder/', '.hidden', 'a+b', 'ä', 'a\u0001b'])
    await client.send(new sdk.PutObjectCommand({ Bucket: bucket.bucket, Key, Body: 'x' }))
  expect(await keysIn(sink)).toEqual(['object'])
})

test('a locked object can be hidden and brought back, and not deleted, whether it came whole or in parts', async () => {
  const bucket = newBucket(server)
  await using sink = s3Sink({ ...bucket, objectLock: { mode: 'governance', days: 3 } })
  await sink.put('whole', Buffer.from('bytes'))
  await pipeline(stream(20 * MIB), sink.createWriteStream('parts'))
  await sink.deleteMany(['whole'])
  await sink.delete('parts')
  expect(await keysIn(sink)).toEqual([])
  const Bucket = bucket.bucket
  const { Versions: versions = [] } = await client.send(new sdk.ListObjectVersionsCommand({ Bucket }))
  expect(versions.map(({ Key }) => Key)).toEqual(['parts', 'whole'])
  for (const { Key, VersionId } of versions) {
    const version = { Bucket, Key, VersionId }
    const { Retention: lock } = await client.send(new sdk.GetObjectRetentionCommand(version))
    expect(lock?.Mode).toBe('GOVERNANCE')
    expect(Math.abs((lock?.RetainUntilDate?.getTime() ?? 0) - Date.now() - 3 * DAY_MS)).toBeLessThan(60_000)
    await expect(client.send(new sdk.DeleteObjectCommand(version))).rejects.toThrow('object lock')
  }
  const { DeleteMarkers: markers = [] } = await client.send(new sdk.ListObjectVersionsCommand({ Bucket }))
  for (const { Key, VersionId } of markers)
    await client.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId }))
  expect(await keysIn(sink)).toEqual(['parts', 'whole'])
})

test('a lock of which less than half is left is renewed, once the object is old enough to be asked for', async () => {
  const bucket = newBucket(server)
  const lockedFor = (days: number) => s3Sink({ ...bucket, objectLock: { mode: 'governance', days } })
  await using three = lockedFor(3)
  await using ten = lockedFor(10)
  await using none = s3Sink(bucket)
  await three.put('object', Buffer.from('bytes'))
  const old = new Date(Date.now() - 6 * DAY_MS)
  const until = async () => {
    const object = { Bucket: bucket.bucket, Key: 'object' }
    const { Retention: lock } = await client.send(new sdk.GetObjectRetentionCommand(object))
    return Math.round(((lock?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / DAY_MS)
  }
  expect(await three.renewLock?.('object', old)).toBe(false)
  expect(await none.renewLock?.('object', old)).toBe(false)
  expect(await ten.renewLock?.('object', new Date())).toBe(false)
  expect(await until()).toBe(3)
  expect(await ten.renewLock?.('object', old)).toBe(true)
  expect(await until()).toBe(10)
  expect(await ten.renewLock?.('object', old)).toBe(false)
  await expect(ten.renewLock?.('absent', old)).rejects.toMatchObject({ code: 'not-found' })
})

test('a lock that the bucket can not keep is an error that says so', async () => {
  const bucket = newBucket(server)
  await s3Sink(bucket).put('object', Buffer.from('bytes'))
  await using sink = s3Sink({ ...bucket, objectLock: { mode: 'compliance', days: 3 } })
  const error = { code: 'protocol', hint: expect.stringContaining('Object Lock') }
  await expect(sink.put('locked', Buffer.from('bytes'))).rejects.toMatchObject(error)
  await expect(pipeline(stream(20 * MIB), sink.createWriteStream('stream'))).rejects.toMatchObject(error)
})

test('a delete that a policy refuses is forbidden, of one key or of many, and the object stays', async () => {
  const bucket = newBucket(server)
  await using sink = s3Sink(bucket)
  for (const key of ['kept/a', 'kept/b', 'free']) await sink.put(key, Buffer.from('bytes'))
  const Resource = `arn:aws:s3:::${bucket.bucket}/kept/*`
  const Statement = [{ Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource }]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await client.send(new sdk.PutBucketPolicyCommand({ Bucket: bucket.bucket, Policy }))
  await expect(sink.delete('kept/a')).rejects.toMatchObject({ code: 'forbidden', key: 'kept/a' })
  const failed = await sink.deleteMany(['kept/a', 'free', 'kept/b'])
  const codes = Object.fromEntries(Array.from(failed, ([key, { code }]) => [key, code]))
  expect(codes).toEqual({ 'kept/a': 'forbidden', 'kept/b': 'forbidden' })
  expect(await keysIn(sink)).toEqual(['kept/a', 'kept/b'])
})

test('what is encrypted on the server is read as it was, and the store says with which key', async () => {
  const bucket = newBucket(server)
  await using sink = s3Sink({ ...bucket, kmsKeyId: S3_KMS_KEY_ID })
  await sink.put('whole', Buffer.from('bytes'))
  await pipeline(stream(20 * MIB), sink.createWriteStream('parts'))
  for (const Key of ['whole', 'parts']) {
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket.bucket, Key }))
    expect([head.ServerSideEncryption, head.SSEKMSKeyId]).toEqual(['aws:kms', S3_KMS_KEY_ID])
  }
  expect(Buffer.from(await sink.get('parts', { offset: 17 * MIB, length: 6 })).toString()).toBe('stream')
})

test('objects are of the storage class that was asked for', async () => {
  const cold = ['--placement-id', 'default-placement', '--storage-class', 'COLD']
  await server.admin('zonegroup', 'placement', 'add', '--rgw-zonegroup', 'default', ...cold)
  await server.admin('zone', 'placement', 'add', '--rgw-zone', 'default', ...cold, '--data-pool', 'cold')
  const bucket = { ...newBucket(server), endpoint: await server.startGateway() }
  await using sink = s3Sink({ ...bucket, storageClass: 'COLD' })
  await sink.put('whole', Buffer.from('bytes'))
  await pipeline(stream(20 * MIB), sink.createWriteStream('parts'))
  const { Contents: objects = [] } = await client.send(
    new sdk.ListObjectsV2Command({ Bucket: bucket.bucket }),
  )
  expect(objects.map(({ StorageClass }) => StorageClass)).toEqual(['COLD', 'COLD'])
})

test('the bucket is in the path or in the name of the host', async () => {
  const endpoint = 'http://store.invalid'
  const asked = async (options: { readonly forcePathStyle?: boolean | undefined }) => {
    await using sink = s3Sink({ ...newBucket(server), bucket: 'backups', endpoint, ...options })
    const error: unknown = await sink.get('object').catch((cause: unknown) => cause)
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  }
  expect(await asked({})).toMatch(/ENOTFOUND store\.invalid/)
  expect(await asked({ forcePathStyle: false })).toMatch(/ENOTFOUND backups\.store\.invalid/)
})

test('TLS where there is none is an error that says so', async () => {
  const endpoint = server.endpoint.replace('http:', 'https:')
  await using sink = s3Sink({ ...newBucket(server), create: false, endpoint })
  await expect(sink.get('object')).rejects.toMatchObject({
    code: 'protocol',
    hint: expect.stringContaining('endpoint'),
  })
})

test('a read that is aborted half-way rejects with the reason', async () => {
  await using sink = s3Sink(newBucket(server))
  await sink.put('object', Buffer.alloc(32 * MIB))
  const reason = new Error('no longer wanted')
  const aborting = new AbortController()
  const reading = async () => {
    const pieces = await sink.createReadStream('object', { signal: aborting.signal })
    for await (const _ of pieces) aborting.abort(reason)
  }
  await expect(reading()).rejects.toBe(reason)
  const onBytes = async () => aborting.abort(reason)
  await expect(sink.get('object', { signal: aborting.signal, onBytes })).rejects.toBe(reason)
})

test('the caller’s buffer is its own again when a write stream has taken it', async () => {
  await using sink = s3Sink(newBucket(server))
  const writing = sink.createWriteStream('object')
  const buffer = Buffer.alloc(MIB)
  for (let i = 0; i < 20; i++) {
    buffer.fill(i)
    await new Promise((resolve) => writing.write(buffer, resolve))
  }
  writing.end()
  await once(writing, 'close')
  const stored = await sink.get('object')
  expect(Array.from({ length: 20 }, (_, i) => stored[i * MIB + 5])).toEqual(
    Array.from({ length: 20 }, (_, i) => i),
  )
})

test('a line that is closed in the middle of what goes out is a failure that passes, whatever the store makes of the rest', async () => {
  await using proxy = await FaultProxy.start(server)
  const bucket = newBucket(server)
  await using straight = s3Sink(bucket)
  await using proxied = s3Sink({ ...bucket, endpoint: `http://127.0.0.1:${proxy.port}` })
  await straight.put('before', Buffer.from('bytes'))
  for (const afterBytes of [3000, 70_000]) {
    proxy.fault = { type: 'half-close', direction: 'up', afterBytes }
    proxy.drop()
    await expect(proxied.put('put', Buffer.alloc(150_000))).rejects.toMatchObject({ retryable: true })
    const streaming = pipeline(stream(20 * MIB), proxied.createWriteStream('streamed'))
    await expect(streaming).rejects.toMatchObject({ retryable: true })
  }
  expect(await keysIn(straight)).toEqual(['before'])
})

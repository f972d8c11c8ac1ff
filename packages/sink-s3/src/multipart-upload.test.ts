import { createHash } from 'node:crypto'
import * as sdk from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { expect, test } from 'vitest'
import { type MultipartOptions, MultipartUpload } from './multipart-upload.ts'

const PART_BYTES = 5 * 1024 * 1024
const client = new sdk.S3Client({ region: 'here', requestChecksumCalculation: 'WHEN_REQUIRED' })

function uploadWith(options: Partial<MultipartOptions>): MultipartUpload {
  return new MultipartUpload({
    connection: { sdk, Upload, client },
    partBytes: PART_BYTES,
    algorithm: 'md5',
    place: { sink: 'cloud', key: 'object' },
    create: async () => 'an id',
    sendPart: async ({ PartNumber }) => ({ ETag: `part ${PartNumber}`, $metadata: {} }),
    commit: async () => undefined,
    abort: async () => undefined,
    fail: () => undefined,
    ...options,
  })
}

/** So many parts, each filled with its number, in pieces that are none. */
async function writeParts(upload: MultipartUpload, parts: number): Promise<void> {
  for (let i = 0; i < parts; i++)
    for (const share of [0.3, 0.7]) await upload.write(Buffer.alloc(share * PART_BYTES, i))
}

test('parts are committed in their order, whatever order they arrive in', async () => {
  const committed: unknown[] = []
  const firstByte: Record<number, number | undefined> = {}
  const upload = uploadWith({
    sendPart: async ({ PartNumber = 0, Body, UploadId }) => {
      firstByte[PartNumber] = Body[0]
      await new Promise((resolve) => setTimeout(resolve, PartNumber % 2 === 0 ? 1 : 20))
      return { ETag: `${UploadId}, part ${PartNumber}`, $metadata: {} }
    },
    commit: async (id, stored, sent) =>
      void committed.push(
        id,
        stored.map(({ ETag }) => ETag).join(),
        sent.map(({ sizeBytes }) => sizeBytes),
      ),
  })
  await writeParts(upload, 3)
  await upload.write(Buffer.of(3))
  await upload.complete()
  const parts = [1, 2, 3, 4]
  expect(committed).toEqual([
    'an id',
    parts.map((number) => `an id, part ${number}`).join(),
    [PART_BYTES, PART_BYTES, PART_BYTES, 1],
  ])
  expect(firstByte).toEqual(Object.fromEntries(parts.map((number) => [number, number - 1])))
})

test('a stream may have 10,000 parts, and no more', async () => {
  const numbers: unknown[] = []
  const many = class extends Upload {
    override async done(): Promise<sdk.CompleteMultipartUploadCommandOutput> {
      const place = { Bucket: '-', Key: '-', UploadId: 'an id' }
      for (const PartNumber of [10_000, 10_001])
        await this['client'].send(new sdk.UploadPartCommand({ ...place, PartNumber, Body: Buffer.of(1) }))
      return expect.unreachable()
    }
  }
  const upload = uploadWith({
    connection: { sdk, Upload: many, client },
    sendPart: async ({ PartNumber }) => {
      numbers.push(PartNumber)
      return { ETag: 'tag', $metadata: {} }
    },
  })
  await expect(upload.complete()).rejects.toMatchObject({ code: 'too-large', key: 'object' })
  expect(numbers).toEqual([10_000])
})

test('four parts are on their way at once, and no more', async () => {
  let running = 0
  let most = 0
  const sendPart = async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 50))
    running--
    return { ETag: 'tag', $metadata: {} }
  }
  const upload = uploadWith({ sendPart })
  await writeParts(upload, 12)
  await upload.complete()
  expect([most, running]).toEqual([4, 0])
})

test('parts are removed when the last request has ended, and not before: one that came later would stay', async () => {
  const order: string[] = []
  const pending = Promise.withResolvers<never>()
  const { promise: isSending, resolve: begun } = Promise.withResolvers<void>()
  const sendPart = () => {
    begun()
    return pending.promise.finally(() => order.push('ended'))
  }
  const upload = uploadWith({ sendPart, abort: async (id) => void order.push(`removed ${id}`) })
  await writeParts(upload, 2)
  await isSending
  const discarded = upload.discard()
  setTimeout(() => pending.reject(new Error('aborted')), 5)
  await discarded
  expect(order).toEqual(['ended', 'removed an id'])
})

test('one that is given up before its first part has nothing to remove', async () => {
  const upload = uploadWith({ create: () => expect.unreachable(), abort: () => expect.unreachable() })
  await upload.write(Buffer.of(1))
  await upload.discard()
})

test('a part that fails is reported at once, while the source is silent, and nothing is committed', async () => {
  const failure = new Error('no')
  const { promise: failed, resolve } = Promise.withResolvers<unknown>()
  const upload = uploadWith({
    sendPart: () => Promise.reject(failure),
    fail: resolve,
    commit: () => expect.unreachable(),
  })
  await writeParts(upload, 1)
  await upload.write(Buffer.of(1))
  expect(await failed).toBe(failure)
  await expect(upload.write(Buffer.of(2))).rejects.toBe(failure)
  await upload.discard()
})

test('parts are sent with their checksum, and one that the store echoes as another is damage', async () => {
  const claims: unknown[] = []
  const upload = uploadWith({
    algorithm: 'sha256',
    sendPart: async ({ ChecksumSHA256 }) => {
      claims.push(ChecksumSHA256)
      return { ETag: 'tag', ChecksumSHA256: Buffer.alloc(32).toString('base64'), $metadata: {} }
    },
  })
  const bytes = Buffer.alloc(PART_BYTES, 'a part')
  await upload.write(bytes)
  await upload.write(Buffer.of(1)).catch(() => undefined)
  await expect(upload.complete()).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
  expect(claims).toContain(createHash('sha256').update(bytes).digest('base64'))
})

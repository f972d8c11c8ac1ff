import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type MultipartOptions, MultipartUpload } from './multipart-upload.ts'

function uploadWith(options: Partial<MultipartOptions>): MultipartUpload {
  return new MultipartUpload({
    partBytes: 1,
    algorithm: 'md5',
    place: { sink: 'cloud', key: 'object' },
    sendPart: async ({ PartNumber }) => ({ ETag: `part ${PartNumber}`, $metadata: {} }),
    commit: async () => undefined,
    abort: async () => undefined,
    fail: () => undefined,
    ...options,
  })
}

test('a stream may have 10,000 parts, in their order, and no more', async () => {
  const committed: unknown[] = []
  const upload = uploadWith({
    commit: async (stored) => void committed.push(...stored.map(({ ETag }) => ETag)),
  })
  for (let i = 0; i < 10_000; i++) await upload.send(Buffer.of(i % 256))
  await expect(upload.send(Buffer.of(1))).rejects.toMatchObject({ code: 'too-large', key: 'object' })
  await upload.complete()
  expect(committed).toEqual(Array.from({ length: 10_000 }, (_, i) => `part ${i + 1}`))
})

test('four parts are on their way at once, and no more', async () => {
  let running = 0
  let most = 0
  const sendPart = async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    running--
    return { ETag: 'tag', $metadata: {} }
  }
  const upload = uploadWith({ sendPart })
  for (let i = 0; i < 40; i++) await upload.send(Buffer.of(i))
  await upload.complete()
  expect([most, running]).toEqual([4, 0])
})

test('parts are removed when the last request has ended, and not before: one that came later would stay', async () => {
  const order: string[] = []
  const pending = Promise.withResolvers<never>()
  const sendPart = () => pending.promise.finally(() => order.push('ended'))
  const upload = uploadWith({ sendPart, abort: async () => void order.push('removed') })
  await upload.send(Buffer.of(1))
  const discarded = upload.discard()
  setTimeout(() => pending.reject(new Error('aborted')), 5)
  await discarded
  expect(order).toEqual(['ended', 'removed'])
})

test('a part that fails is told at once, and nothing is committed', async () => {
  const failure = new Error('no')
  const failures: unknown[] = []
  const upload = uploadWith({
    sendPart: () => Promise.reject(failure),
    fail: (error) => failures.push(error),
    commit: () => expect.unreachable(),
  })
  await upload.send(Buffer.of(1))
  await expect(upload.complete()).rejects.toBe(failure)
  await expect(upload.send(Buffer.of(2))).rejects.toBe(failure)
  expect(failures).toEqual([failure])
})

test('parts are sent with their checksum, and one that the store echoes as another is damage', async () => {
  const claims: unknown[] = []
  const bytes = Buffer.from('a part')
  const upload = uploadWith({
    algorithm: 'sha256',
    sendPart: async ({ ChecksumSHA256 }) => {
      claims.push(ChecksumSHA256)
      return { ETag: 'tag', ChecksumSHA256: Buffer.alloc(32).toString('base64'), $metadata: {} }
    },
  })
  await upload.send(bytes)
  await expect(upload.complete()).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
  expect(claims).toEqual([createHash('sha256').update(bytes).digest('base64')])
})

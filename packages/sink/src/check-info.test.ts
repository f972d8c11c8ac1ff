import { expect, test } from 'vitest'
import { createSink } from './driver.ts'
import { listedThrough } from './listed-through.ts'

const NOW = new Date('2026-11-23T10:00:00Z')

test.for([
  ['no size', { sizeBytes: undefined as unknown as number, storedAt: NOW }],
  ['a negative size', { sizeBytes: -1, storedAt: NOW }],
  ['half a byte', { sizeBytes: 0.5, storedAt: NOW }],
  ['more bytes than can be counted', { sizeBytes: 2 ** 53, storedAt: NOW }],
  ['no time', { sizeBytes: 1, storedAt: new Date(Number.NaN) }],
] as const)('an object with %s is no answer, in a listing and by itself', async ([, said]) => {
  const wrong = { code: 'protocol', key: 'k', sink: 's' }
  await expect(listedThrough(() => [{ key: 'k', ...said }])).rejects.toMatchObject(wrong)
  const head = async () => ({ key: 'k', ...said })
  const provider = { name: 's', appendOnly: false, head, toSinkError: (cause: unknown) => cause }
  const sink = createSink(provider as unknown as Parameters<typeof createSink>[0])
  await expect(sink.head('k')).rejects.toMatchObject(wrong)
})

test('what has no key may have anything', async () => {
  const odd = { key: 'lost+found', sizeBytes: -1, storedAt: new Date(Number.NaN) }
  expect(await listedThrough(() => [odd])).toEqual([])
})

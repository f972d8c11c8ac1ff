import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ProgramFailure } from './run-program.ts'
import { type Batch, type Upload, UploadQueue } from './upload-queue.ts'

const upload = (key: string, more: Partial<Upload> = {}): Upload => ({
  key,
  source: `1/./${key}`,
  sizeBytes: 10,
  ifAbsent: false,
  pace: Number.POSITIVE_INFINITY,
  ...more,
})

/** Records what is sent together; each takes a moment. */
function recorder(act: (batch: Batch) => void = () => undefined): {
  readonly queue: UploadQueue
  readonly batches: string[][]
} {
  const batches: string[][] = []
  const queue = new UploadQueue(async (batch) => {
    batches.push(batch.uploads.map(({ key }) => key))
    await sleep(20, undefined, { signal: batch.signal }).catch(() => batch.signal.throwIfAborted())
    act(batch)
    return new Set(batch.uploads.map(({ key }) => key))
  })
  return { queue, batches }
}

test('what becomes ready while one is sent goes together', async () => {
  const { queue, batches } = recorder()
  const first = queue.add(upload('a'))
  while (batches.length === 0) await sleep(1)
  await Promise.all([first, ...['b', 'c', 'd'].map((key) => queue.add(upload(key)))])
  expect(batches).toEqual([['a'], ['b', 'c', 'd']])
})

test('what is about to be ready is waited for, a moment', async () => {
  const { queue, batches } = recorder()
  const first = queue.add(upload('a'))
  await sleep(1)
  await Promise.all([first, queue.add(upload('b'))])
  await queue.add(upload('c'))
  expect(batches).toEqual([['a', 'b'], ['c']])
})

test('the same key is never sent twice at once, and in order', async () => {
  const { queue, batches } = recorder()
  await Promise.all(['a', 'a', 'b', 'a'].map((key) => queue.add(upload(key))))
  expect(batches).toEqual([['a', 'b'], ['a'], ['a']])
})

test('much to send gets a second connection, and no third', async () => {
  let most = 0
  let running = 0
  const queue = new UploadQueue(async ({ uploads }) => {
    most = Math.max(most, ++running)
    await sleep(5)
    running--
    return new Set(uploads.map(({ key }) => key))
  })
  const sizeBytes = 40 * 1024 * 1024
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => queue.add(upload(key, { sizeBytes }))))
  expect(most).toBe(2)
})

test('when something fails for one of them, each is sent alone, and only that one fails', async () => {
  const { queue } = recorder(({ uploads }) => {
    if (uploads.some(({ key }) => key === 'bad')) throw new ProgramFailure('rsync', 23, 'permission denied')
  })
  const outcomes = await Promise.allSettled(['first', 'a', 'bad', 'b'].map((key) => queue.add(upload(key))))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
})

test('when one is aborted, the others of its batch are sent again', async () => {
  const { queue, batches } = recorder()
  const aborting = new AbortController()
  const first = queue.add(upload('first'))
  while (batches.length === 0) await sleep(1)
  const gone = queue.add(upload('gone', { signal: aborting.signal }))
  const other = queue.add(upload('other'))
  await first
  await sleep(15)
  aborting.abort(new Error('no longer wanted'))
  await expect(gone).rejects.toThrow('no longer wanted')
  await expect(other).resolves.toBe('stored')
  expect(batches).toEqual([['first'], ['gone', 'other'], ['other']])
})

test('one that is aborted before its turn is never sent', async () => {
  const { queue, batches } = recorder()
  const aborting = new AbortController()
  const first = queue.add(upload('first'))
  while (batches.length === 0) await sleep(1)
  const gone = queue.add(upload('gone', { signal: aborting.signal }))
  aborting.abort(new Error('no longer wanted'))
  await expect(gone).rejects.toThrow('no longer wanted')
  await first
  expect(batches).toEqual([['first']])
})

import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { type Fault, faultySink, type SinkRequest } from './faulty-sink.ts'
import { type MemorySink, memorySink } from './memory-sink.ts'
import type { Sink } from './sink.ts'
import { SinkError, type SinkErrorCode } from './sink-error.ts'
import { type RetryOptions, withRetry } from './with-retry.ts'

function failure(code: SinkErrorCode, options: { key?: string; retryAfterMs?: number } = {}): SinkError {
  return new SinkError(code, 'as planned', { sink: 'memory', ...options })
}

/** A sink in memory behind faults, and what was asked of it. */
function setting(plan: (request: SinkRequest) => Fault, options: RetryOptions = {}) {
  const memory: MemorySink = memorySink()
  const requests: string[] = []
  const waits: number[] = []
  const faulty = faultySink(memory, (request) => {
    requests.push(request.operation)
    return plan(request)
  })
  const sleep = (ms: number) => {
    waits.push(ms)
    return Promise.resolve()
  }
  const sink: Sink = withRetry(faulty, { sleep, random: () => 1, ...options })
  return { memory, requests, waits, sink }
}

const bytes = Buffer.from('some bytes')
const firstTime = (fault: Fault, operation: SinkRequest['operation']) => (request: SinkRequest) =>
  request.operation === operation && request.count === 1 ? fault : {}

test.for(['throttled', 'unreachable', 'timeout'] as const)('%s is tried again', async (code) => {
  const { sink, memory } = setting(firstTime({ before: failure(code) }, 'put'))
  await sink.put('key', bytes)
  expect(memory.objects.get('key')?.bytes).toEqual(bytes)
})

test.for(['not-found', 'full', 'unauthorized', 'forbidden', 'corrupt', 'protocol', 'too-large'] as const)(
  '%s is not tried again',
  async (code) => {
    const { sink, requests } = setting(() => ({ before: failure(code) }))
    await expect(sink.put('key', bytes)).rejects.toMatchObject({ code })
    expect(requests).toEqual(['put'])
  },
)

test('what is no SinkError is not tried again', async () => {
  const { sink, requests } = setting(() => ({ before: new TypeError('a bug') }))
  await expect(sink.get('key')).rejects.toThrow('a bug')
  expect(requests).toEqual(['get'])
})

test('waits double, up to a limit, are never shorter than the server asks, and tries come to an end', async () => {
  const { sink, waits } = setting(
    ({ count }) => ({ before: failure('throttled', count === 2 ? { retryAfterMs: 7000 } : {}) }),
    { tries: 6, firstMs: 1000, maxMs: 4000 },
  )
  await expect(sink.get('key')).rejects.toMatchObject({ code: 'throttled' })
  expect(waits).toEqual([1000, 7000, 4000, 4000, 4000])
})

test('a server that asks for hours is not waited for', async () => {
  const { sink, waits } = setting(() => ({ before: failure('throttled', { retryAfterMs: 7_200_000 }) }))
  await expect(sink.get('key')).rejects.toMatchObject({ code: 'throttled' })
  expect(waits).toEqual([])
})

test('a put whose answer was lost is looked for, and not sent again', async () => {
  const { sink, requests } = setting(firstTime({ after: failure('timeout') }, 'put'))
  await sink.put('key', bytes)
  expect(requests.filter((operation) => operation === 'put')).toHaveLength(1)
})

test('with ifAbsent, a put whose answer was lost is a success; another’s object is not', async () => {
  const lost = setting(firstTime({ after: failure('unreachable') }, 'put'))
  await lost.sink.put('key', bytes, { ifAbsent: true })
  const raced = setting(firstTime({ before: failure('unreachable') }, 'put'))
  await raced.memory.put('key', Buffer.from('other data'))
  await expect(raced.sink.put('key', bytes, { ifAbsent: true })).rejects.toMatchObject({ code: 'exists' })
})

test('a put into a place that may not be looked at is sent again', async () => {
  const { sink, memory, requests } = setting(({ operation, count }) => {
    if (operation === 'head') return { before: failure('forbidden') }
    return operation === 'put' && count === 1 ? { before: failure('unreachable') } : {}
  })
  await sink.put('key', bytes)
  expect(memory.objects.get('key')?.bytes).toEqual(bytes)
  expect(requests).toEqual(['put', 'head', 'put'])
})

test('an old object of the same size is not taken for the one that was sent', async () => {
  const { sink, memory } = setting(firstTime({ before: failure('timeout') }, 'put'))
  await memory.put('key', Buffer.from('SOME BYTES'))
  await sink.put('key', bytes)
  expect(memory.objects.get('key')?.bytes).toEqual(bytes)
})

test('a read goes on where it was cut, with every byte once', async () => {
  const { sink, memory } = setting(({ operation, count }) =>
    operation === 'createReadStream' && count < 4
      ? { after: failure('unreachable'), afterBytes: 100_000 * count }
      : {},
  )
  const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 7) % 253))
  await memory.put('key', large)
  const stream = await sink.createReadStream('key', { offset: 10, length: 900_000 })
  expect(Buffer.concat((await stream.toArray()) as Buffer[]).equals(large.subarray(10, 900_010))).toBe(true)
})

test('a listing that is cut has each object once', async () => {
  const { sink, memory } = setting(({ operation, count }) =>
    operation === 'list' && count < 3 ? { after: failure('timeout'), afterBytes: count * 2 } : {},
  )
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) await memory.put(key, bytes)
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  expect(keys).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

test('of many deletes those that failed are tried again, and what can not be deleted is reported', async () => {
  const { memory } = setting(() => ({}))
  const faults = new Map<string, SinkErrorCode[]>([
    ['b', ['throttled']],
    ['c', ['forbidden', 'forbidden', 'forbidden']],
    ['d', ['timeout', 'timeout', 'timeout']],
  ])
  for (const key of ['a', 'b', 'c', 'd']) await memory.put(key, bytes)
  const deleteMany: Sink['deleteMany'] = async (keys) => {
    const failed = new Map<string, SinkError>()
    for (const key of keys) {
      const code = faults.get(key)?.shift()
      if (code) failed.set(key, failure(code, { key }))
      else memory.objects.delete(key)
    }
    return failed
  }
  const sink = withRetry({ ...memory, deleteMany }, { tries: 3, sleep: () => Promise.resolve() })
  const failed = await sink.deleteMany(['a', 'b', 'c', 'd'])
  expect([...failed].map(([key, { code }]) => `${key} ${code}`).sort()).toEqual(['c forbidden', 'd timeout'])
  expect([...memory.objects.keys()]).toEqual(['c', 'd'])
})

test('a signal ends the waiting, with its reason', async () => {
  const reason = new Error('enough')
  const { sink } = setting(() => ({ before: failure('timeout') }), {
    sleep: (_, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  })
  const controller = new AbortController()
  setImmediate(() => setImmediate(() => controller.abort(reason)))
  await expect(sink.get('key', { signal: controller.signal })).rejects.toBe(reason)
})

test('a stream that is destroyed takes what it reads from with it: before it is read, and after it was cut', async () => {
  const below: Readable[] = []
  const createReadStream: Sink['createReadStream'] = () => {
    const stream = new Readable({ read: () => undefined })
    below.push(stream)
    return Promise.resolve(stream)
  }
  const sink = withRetry({ ...memorySink(), createReadStream }, { sleep: () => Promise.resolve() })
  const unread = await sink.createReadStream('key')
  unread.destroy()
  await expect.poll(() => below[0]?.destroyed).toBe(true)
  const cut = (await sink.createReadStream('key')).resume()
  below[1]?.destroy(failure('unreachable'))
  await expect.poll(() => below).toHaveLength(3)
  await new Promise((resolve) => setImmediate(resolve))
  cut.destroy()
  await expect.poll(() => below[2]?.destroyed).toBe(true)
})

test('a sink that is down costs one round of tries, not one for each object; now and then it is looked at', async () => {
  let now = 0
  let isDown = true
  const { sink, requests, memory } = setting(() => (isDown ? { before: failure('unreachable') } : {}), {
    tries: 6,
    now: () => now,
  })
  await memory.put('a', bytes)
  await expect(sink.get('a')).rejects.toMatchObject({ code: 'unreachable' })
  expect(requests).toHaveLength(6)
  for (const request of [
    () => sink.get('b'),
    () => sink.head('c'),
    () => sink.put('d', bytes),
    () => sink.createReadStream('e'),
    () => sink.list('')[Symbol.asyncIterator]().next(),
    () => sink.deleteMany(['f']),
  ]) {
    await expect(async () => await request()).rejects.toMatchObject({
      code: 'unreachable',
      message: 'sink "memory": as planned',
    })
  }
  expect(requests).toHaveLength(6)
  now = 31_000
  await expect(sink.get('a')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(sink.get('a')).rejects.toMatchObject({ code: 'unreachable' })
  expect(requests).toHaveLength(7)
  isDown = false
  now = 60_000
  await expect(sink.get('a')).rejects.toMatchObject({ code: 'unreachable' })
  now = 92_000
  expect(Buffer.from(await sink.get('a'))).toEqual(bytes)
  expect(Buffer.from(await sink.get('a'))).toEqual(bytes)
})

test('requests that wait for their next try give up when another has used its tries up', async () => {
  const { sink, requests } = setting(() => ({ before: failure('unreachable') }), { tries: 6 })
  const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => sink.get(key)))
  expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'rejected'))
  expect(requests.length).toBeLessThanOrEqual(4 * 6)
  await expect(sink.get('e')).rejects.toMatchObject({ code: 'unreachable' })
  expect(requests.length).toBeLessThanOrEqual(4 * 6)
})

test('one object that never comes does not make a sink down that gives the others', async () => {
  const { sink, memory } = setting(({ operation, key }) =>
    operation === 'get' && key === 'bad' ? { before: failure('timeout') } : {},
  )
  await memory.put('good', bytes)
  await memory.put('bad', bytes)
  const bad = expect(sink.get('bad')).rejects.toMatchObject({ code: 'timeout' })
  await sink.get('good')
  await bad
  expect(Buffer.from(await sink.get('good'))).toEqual(bytes)
})

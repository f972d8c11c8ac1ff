import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { deleteEach } from './delete-each.ts'
import { createSink } from './driver.ts'
import { memorySink } from './memory-sink.ts'
import type { Sink } from './sink.ts'
import { withTimeout } from './with-timeout.ts'

const never = () => new Promise<never>(() => undefined)
const silent = { code: 'timeout', retryable: true }
const SILENT_MS = 120

function impatient(methods: Partial<Sink>): Sink {
  return withTimeout({ ...memorySink(), ...methods }, { silentMs: SILENT_MS })
}

test.for<[string, (sink: Sink) => Promise<unknown>]>([
  ['put', (sink) => sink.put('key', new Uint8Array(1))],
  ['get', (sink) => sink.get('key')],
  ['head', (sink) => sink.head('key')],
  ['delete', (sink) => sink.delete('key')],
  ['deleteMany', (sink) => sink.deleteMany(['key'])],
  ['createReadStream', (sink) => sink.createReadStream('key')],
])('a %s that hangs, deaf to its signal, fails with timeout', async ([name, request]) => {
  await expect(request(impatient({ [name]: never }))).rejects.toMatchObject(silent)
})

test('a transfer may take as long as it likes while bytes move', async () => {
  const put: Sink['put'] = async (_key, _bytes, options) => {
    for (let i = 0; i < 8; i++) {
      await options?.onBytes?.(1)
      await sleep(SILENT_MS / 3)
    }
  }
  await expect(impatient({ put }).put('key', new Uint8Array(8))).resolves.toBeUndefined()
})

test('what a put has handed over slowly may need as long to leave the buffers; what went fast may not', async () => {
  const put =
    (pieceMs: number): Sink['put'] =>
    async (_key, _bytes, options) => {
      for (let i = 0; i < 8; i++) {
        await options?.onBytes?.(1)
        await sleep(pieceMs)
      }
      await sleep(SILENT_MS * 2)
    }
  await expect(impatient({ put: put(SILENT_MS / 3) }).put('key', new Uint8Array(8))).resolves.toBeUndefined()
  await expect(impatient({ put: put(0) }).put('key', new Uint8Array(8))).rejects.toMatchObject(silent)
})

test('time that the caller itself holds a piece back does not count', async () => {
  const sink = impatient({})
  const onBytes = () => sleep(SILENT_MS * 2)
  await expect(sink.put('key', Buffer.alloc(600_000), { onBytes })).resolves.toBeUndefined()
})

test('deleting many may take as long as it likes while one after the other goes', async () => {
  const deleting = { name: 'slow', delete: () => sleep(SILENT_MS / 3) }
  const deleteMany: Sink['deleteMany'] = (keys, options) => deleteEach(deleting, keys, options)
  const keys = Array.from({ length: 64 }, (_, i) => `key${i}`)
  await expect(impatient({ deleteMany }).deleteMany(keys)).resolves.toEqual(new Map())
})

test('a listing that stops in the middle fails', async () => {
  const list: Sink['list'] = async function* () {
    yield { key: 'a', sizeBytes: 1, storedAt: new Date() }
    await never()
  }
  const sink = impatient({ list })
  const read = async () => {
    for await (const _ of sink.list('')) await sleep(SILENT_MS * 1.5)
  }
  await expect(read()).rejects.toMatchObject(silent)
})

test('a read stream that stops in the middle fails', async () => {
  const createReadStream: Sink['createReadStream'] = () =>
    Promise.resolve(
      Readable.from(
        (async function* () {
          yield Buffer.from('first')
          await never()
        })(),
        { objectMode: false },
      ),
    )
  const stream = await impatient({ createReadStream }).createReadStream('key')
  await expect(stream.toArray()).rejects.toMatchObject(silent)
})

test('a write stream that takes no more fails, and so does one that never finishes', async () => {
  const stuck =
    (options: object): Sink['createWriteStream'] =>
    () =>
      new Writable(options)
  const write = stuck({ write: () => undefined })
  const finish = stuck({
    write: (_chunk: unknown, _encoding: unknown, done: () => void) => done(),
    final: () => undefined,
  })
  for (const createWriteStream of [write, finish]) {
    const stream = impatient({ createWriteStream }).createWriteStream('key')
    await expect(pipeline(Readable.from([Buffer.alloc(10)]), stream)).rejects.toMatchObject(silent)
  }
})

test('a stream or a listing that hangs gets the news that it was given up, and what opens after all is closed', async () => {
  const signals: (AbortSignal | undefined)[] = []
  const late = Promise.withResolvers<Readable>()
  const sink = impatient({
    createReadStream: (_key, options) => {
      signals.push(options?.signal)
      return late.promise
    },
    list: async function* (_prefix, options) {
      signals.push(options?.signal)
      yield { key: 'a', sizeBytes: 1, storedAt: new Date() }
      await never()
    },
  })
  await expect(sink.createReadStream('key')).rejects.toMatchObject(silent)
  const listing = sink.list('')[Symbol.asyncIterator]()
  await listing.next()
  await expect(listing.next()).rejects.toMatchObject(silent)
  expect(signals.map((signal) => signal?.reason)).toMatchObject([silent, silent])
  const stream = new Readable({ read: () => undefined })
  late.resolve(stream)
  await expect.poll(() => stream.destroyed).toBe(true)
})

test('a stream that is destroyed before it is read takes the one below with it; one that fails meanwhile fails its reader alone', async () => {
  const below: Readable[] = []
  const createReadStream: Sink['createReadStream'] = () => {
    const stream = new Readable({ read: () => undefined })
    below.push(stream)
    return Promise.resolve(stream)
  }
  const sink = impatient({ createReadStream })
  const unread = await sink.createReadStream('key')
  unread.destroy()
  await expect.poll(() => below[0]?.destroyed).toBe(true)
  const failing = await sink.createReadStream('key')
  below[1]?.destroy(new Error('cut'))
  await sleep(10)
  await expect(failing.toArray()).rejects.toThrow('cut')
})

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('nothing that was over keeps the process waiting for its silence', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const hold = Promise.withResolvers<void>()
  const put: Sink['put'] = (_key, _bytes, options) => {
    // Its answer comes while a piece is still held back.
    void options?.onBytes?.(1)
    return Promise.resolve()
  }
  await impatient({ put }).put('key', new Uint8Array(1), { onBytes: () => hold.promise })
  hold.resolve()
  await hold.promise
  const deaf = impatient({ createWriteStream: () => new Writable({ final: () => undefined }) })
  const stream = deaf.createWriteStream('key').on('error', () => undefined)
  stream.end()
  await turn()
  expect(vi.getTimerCount()).toBe(1)
  stream.destroy()
  await turn()
  expect(vi.getTimerCount()).toBe(0)
})

test('so may a stream into a sink, which takes large pieces and sends them slowly', async () => {
  const slow = createSink({
    name: 'slow',
    appendOnly: false,
    upload: async (_key, body) => {
      for await (const _ of body.pieces()) await sleep(SILENT_MS / 3)
    },
    read: () => Promise.reject(new Error('nothing to read')),
    head: () => Promise.resolve(undefined),
    async *list() {},
    remove: () => Promise.resolve(new Map()),
    toSinkError: (cause) => cause,
  })
  const bytes = Buffer.alloc(4 * 1024 * 1024)
  const stream = withTimeout(slow, { silentMs: SILENT_MS }).createWriteStream('key')
  await expect(pipeline(Readable.from([bytes]), stream)).resolves.toBeUndefined()
})

import { Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { promises } from './conformance/promises.ts'
import { deleteEach } from './delete-each.ts'
import { type MemorySink, memorySink } from './memory-sink.ts'
import type { Sink } from './sink.ts'
import { SinkError } from './sink-error.ts'

/** A sink that is right but for this. */
function flawed(flaw: (good: MemorySink) => Partial<Sink>): Sink {
  const good = memorySink()
  return { ...good, ...flaw(good) }
}

async function* without<T>(items: AsyncIterable<T>, left: number): AsyncGenerator<T> {
  for await (const item of items) if (left-- > 0) yield item
}

/** What is wrong, the promise that it breaks, and the sink. */
const flaws: readonly [string, keyof typeof promises, () => Sink][] = [
  [
    'a byte is flipped',
    'what was put is read, whatever its size',
    () =>
      flawed((good) => ({
        get: async (key, options) => {
          const bytes = Buffer.from(await good.get(key, options))
          if (bytes.length > 1000) bytes[500] = (bytes[500] ?? 0) ^ 1
          return bytes
        },
      })),
  ],
  [
    'it gives out what it keeps',
    'what is got is in memory of its own: whoever gets it may free it',
    () =>
      flawed((good) => {
        const kept = new Map<string, Uint8Array>()
        return {
          get: async (key, options) => {
            const bytes = kept.get(key) ?? (await good.get(key, options))
            kept.set(key, bytes)
            return bytes
          },
        }
      }),
  ],
  [
    'it believes how long an object says it is',
    'what has more bytes than may be read is corrupt, and is not read',
    () =>
      flawed((good) => ({
        get: (key, options) => good.get(key, { ...options, maxBytes: Number.POSITIVE_INFINITY }),
      })),
  ],
  [
    'it says nonsense of its room',
    'where it can say how much room there is, it says a number of bytes',
    () => flawed(() => ({ freeBytes: async () => Number.NaN })),
  ],
  [
    'a stream loses its end',
    'a stream of unknown length is stored whole',
    () =>
      flawed((good) => ({
        createReadStream: async (key) =>
          Readable.from([(await good.get(key)).subarray(0, -1)], { objectMode: false }),
      })),
  ],
  [
    'a stream keeps its first piece alone',
    'a slow stream, byte by byte, is stored whole',
    () =>
      flawed((good) => ({
        createWriteStream: (key) =>
          new Writable({
            write: (chunk: Uint8Array, _encoding, done) =>
              void (good.objects.has(key) ? Promise.resolve() : good.put(key, chunk)).then(
                () => done(),
                done,
              ),
          }),
      })),
  ],
  [
    'objects show while they are written',
    'a stream that is not ended shows nothing',
    () => flawed((good) => visible(good)),
  ],
  [
    'an undone stream stays',
    'a destroyed stream, and one whose source fails, leave nothing visible',
    () => flawed((good) => visible(good)),
  ],
  [
    'long keys are cut',
    'every key that is allowed works, in put, get, head, list and delete',
    () =>
      flawed((good) => ({
        put: (key, bytes, options) => good.put(key.slice(0, 100).replace(/\/$/, ''), bytes, options),
      })),
  ],
  [
    'any key is taken',
    'every other key is refused, before anything is done',
    () => flawed(() => ({ put: () => Promise.resolve() })),
  ],
  [
    'the first put stays',
    'what is put again replaces what was there',
    () =>
      flawed((good) => ({
        put: async (key, bytes) => (good.objects.has(key) ? undefined : good.put(key, bytes)),
      })),
  ],
  [
    'ifAbsent is not heard',
    'ifAbsent never replaces',
    () => flawed((good) => ({ put: (key, bytes) => good.put(key, bytes) })),
  ],
  [
    'writers are mixed',
    'of several writers at once one wins, whole',
    () =>
      flawed((good) => {
        let beginning: Uint8Array | undefined
        return {
          put: async (key, bytes) => {
            beginning ??= bytes.subarray(0, bytes.length >> 1)
            await new Promise(setImmediate)
            await good.put(key, Buffer.concat([beginning, bytes.subarray(bytes.length >> 1)]))
          },
        }
      }),
  ],
  [
    'a put is done in two steps',
    'a reader sees the old object or the new one, never a mixture',
    () =>
      flawed((good) => ({
        put: async (key, bytes) => {
          await good.put(key, bytes.subarray(0, 5))
          await good.put(key, bytes)
        },
      })),
  ],
  [
    'the second page is lost',
    'a long listing is whole, and has each object once, with its size',
    () => flawed((good) => ({ list: (prefix) => without(good.list(prefix), 40) })),
  ],
  [
    'a prefix is taken for a beginning of a name',
    'a prefix takes what is below it, and nothing beside it',
    () =>
      flawed((good) => ({
        async *list(prefix) {
          for await (const info of good.list(''))
            if (info.key.startsWith(prefix.replace(/\/$/, ''))) yield info
        },
      })),
  ],
  [
    'a range that is too long is short',
    'a range is those bytes, and one that can not be filled is refused',
    () =>
      flawed((good) => ({
        get: async (key, { offset = 0, length } = {}) => {
          const bytes = await good.get(key)
          return bytes.subarray(offset, length === undefined ? undefined : offset + length)
        },
      })),
  ],
  [
    'absent is empty',
    'what is absent is undefined, not-found, or deleted already',
    () => flawed(() => ({ get: () => Promise.resolve(new Uint8Array()) })),
  ],
  [
    'delete does nothing',
    'what was deleted is gone, and can be put again',
    () => flawed(() => ({ delete: () => Promise.resolve() })),
  ],
  [
    'times are seconds',
    'storedAt is about now, by a clock that is about right',
    () =>
      flawed((good) => ({
        head: async (key) => {
          const info = await good.head(key)
          return info && { ...info, storedAt: new Date(info.storedAt.getTime() / 1000) }
        },
      })),
  ],
  [
    'onBytes is not called',
    'onBytes gets a report of every byte that goes out, in small pieces, and can hold the next one back',
    () => flawed((good) => ({ put: (key, bytes) => good.put(key, bytes) })),
  ],
  [
    'nothing is heard of deleting many',
    'deleteMany reports to onBytes that it goes on: of many the last comes late',
    () => flawed((good) => ({ deleteMany: (keys) => good.deleteMany(keys) })),
  ],
  [
    'signals are not heard',
    'a signal that has fired stops every request, with its reason',
    () => flawed((good) => ({ head: (key) => good.head(key) })),
  ],
  [
    'a put that is aborted goes on',
    'a signal that fires in the middle of a put or a stream leaves nothing visible',
    () =>
      flawed((good) => ({
        put: async (key, bytes, options) => {
          await good.put(key, bytes)
          await options?.onBytes?.(1)
          options?.signal?.throwIfAborted()
        },
      })),
  ],
  [
    'a reader blocks the next',
    'a reader that is destroyed half-way holds nothing up',
    () =>
      flawed((good) => {
        let readers = 0
        return {
          createReadStream: (key) => {
            if (++readers > 4) throw new SinkError('unreachable', 'no more connections', { sink: 'memory' })
            return good.createReadStream(key)
          },
        }
      }),
  ],
  [
    'everything is taken up at once',
    'back-pressure reaches the source of a stream',
    () =>
      flawed(() => ({
        createWriteStream: () => new Writable({ write: (_chunk, _encoding, done) => done() }),
      })),
  ],
]

function visible(good: MemorySink): Partial<Sink> {
  return {
    createWriteStream: (key) =>
      new Writable({
        write: (chunk: Uint8Array, _encoding, done) => void good.put(key, chunk).then(() => done(), done),
      }),
    deleteMany: (keys) => deleteEach(good, keys),
  }
}

test.for(flaws)('a sink is found out when %s', async ([, promise, make]) => {
  const check = promises[promise]?.(make(), {
    listed: 60,
    putsAtOnce: 8,
    largestBytes: 100_000,
    ifAbsent: true,
  })
  await expect(check).rejects.toThrow(/./s)
})

test('every promise has a sink here that breaks it', () => {
  const broken = new Set(flaws.map(([, promise]) => promise))
  expect(Object.keys(promises).filter((promise) => !broken.has(promise))).toEqual([])
})

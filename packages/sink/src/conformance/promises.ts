import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PutOptions, Sink } from '../sink.ts'
import { manyObjects } from './many-objects.ts'
import { digest, keysOf, readAll, sample } from './sample.ts'

/** What a check is given beside the sink. */
export interface CheckSettings {
  /** How many objects a long listing has. */
  readonly listed: number
  /** How many of them are there already, the first ones of `manyObjects`. Default none. */
  readonly there?: number | undefined
  /** How many of the others are put at a time. */
  readonly putsAtOnce: number
  /** The largest object, in bytes. */
  readonly largestBytes: number
  /** Whether `ifAbsent` is kept. */
  readonly ifAbsent: boolean
}

/** Rejects when the promise is broken. `open` gives the sink, on an empty place, again at each call. */
export type Check = (sink: Sink, settings: CheckSettings) => Promise<void>

const MIB = 1024 * 1024
const SMALL_SIZES = [0, 1, 255, 4096, 65_537, MIB + 1]
const LONGEST_KEY = `packs/${'a'.repeat(97)}/${'b'.repeat(96)}`
const KEYS = [
  'k',
  '0',
  '_',
  '-',
  'vault.json',
  'packs/ab/abcd',
  'a.b-c_d/e..f/-/_',
  'x/x/x/x/x/x',
  LONGEST_KEY,
]
const NO_KEYS = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  './a',
  '.hidden',
  'a/.b',
  'A',
  'ä',
  'a b',
  'a\0b',
  'a\nb',
  'a%2fb',
  'a\\b',
  'a?b',
  'a#b',
  'a:b',
  '~',
  'a*',
  'a'.repeat(201),
]

const MANY_DELETED = 1200

export const LONG_LISTING = 'a long listing is whole, and has each object once, with its size'

/** Every promise of `Sink` that can be checked without breaking its server. */
export const promises: Readonly<Record<string, Check>> = {
  'what was put is read, whatever its size': async (sink, { largestBytes }) => {
    const put = async (size: number) => {
      const key = `sizes/${size}`
      const bytes = sample(size, size)
      await sink.put(key, bytes)
      return { key, size, bytes: digest(bytes) }
    }
    // The small ones at once, and each of the large ones by itself.
    const objects = await Promise.all(SMALL_SIZES.map(put))
    for (const size of [16 * MIB, largestBytes]) objects.push(await put(size))
    for (const { key, size, bytes } of objects) {
      assert.equal(digest(await sink.get(key)), bytes)
      assert.equal((await sink.head(key))?.sizeBytes, size)
    }
  },

  'a stream of unknown length is stored whole': async (sink, { largestBytes }) => {
    for (const size of [...SMALL_SIZES, largestBytes]) {
      const bytes = sample(size, size + 1)
      await pipeline(Readable.from(cut(bytes, 100_003)), sink.createWriteStream('streamed'))
      assert.equal(digest(await readAll(sink, 'streamed')), digest(bytes))
    }
  },

  'a slow stream, byte by byte, is stored whole': async (sink) => {
    const bytes = sample(300)
    const slow = async function* () {
      for (const [i, piece] of [...cut(bytes, 1)].entries()) {
        if (i % 30 === 0) await sleep(5)
        yield piece
      }
    }
    await pipeline(slow, sink.createWriteStream('slow'))
    assert.equal(digest(await sink.get('slow')), digest(bytes))
  },

  'a stream that is not ended shows nothing': async (sink) => {
    const stream = sink.createWriteStream('packs/unfinished')
    await new Promise((resolve) => stream.write(sample(MIB), resolve))
    assert.deepEqual([await keysOf(sink), await sink.head('packs/unfinished')], [[], undefined])
    stream.destroy()
    await closed(stream)
  },

  'a destroyed stream, and one whose source fails, leave nothing visible': async (sink) => {
    const destroyed = sink.createWriteStream('destroyed')
    destroyed.on('error', () => undefined)
    await new Promise((resolve) => destroyed.write(sample(3 * MIB), resolve))
    destroyed.destroy(new Error('given up'))
    await closed(destroyed)
    const failing = async function* () {
      yield sample(MIB)
      await sleep(1)
      throw new Error('the source failed')
    }
    await assert.rejects(pipeline(failing, sink.createWriteStream('failed')), /the source failed/)
    assert.deepEqual(await keysOf(sink), [])
  },

  'every key that is allowed works, in put, get, head, list and delete': async (sink) => {
    await Promise.all(KEYS.map((key) => sink.put(key, Buffer.from(key))))
    assert.deepEqual(await keysOf(sink), [...KEYS].sort())
    const use = async (key: string) => {
      assert.equal(Buffer.from(await sink.get(key)).toString(), key)
      assert.equal((await sink.head(key))?.key, key)
      await sink.delete(key)
    }
    await Promise.all(KEYS.map(use))
    assert.deepEqual(await keysOf(sink), [])
  },

  'every other key is refused, before anything is done': async (sink) => {
    const refused = { name: 'SinkError', code: 'refused-key' }
    for (const key of NO_KEYS) {
      await assert.rejects(async () => sink.put(key, sample(1)), refused, `put ${JSON.stringify(key)}`)
      await assert.rejects(async () => sink.get(key), refused, `get ${JSON.stringify(key)}`)
      await assert.rejects(async () => sink.head(key), refused, `head ${JSON.stringify(key)}`)
      await assert.rejects(async () => sink.delete(key), refused, `delete ${JSON.stringify(key)}`)
      await assert.rejects(async () => sink.createReadStream(key), refused, `read ${JSON.stringify(key)}`)
      await assert.rejects(
        async () => pipeline(Readable.from([sample(1)]), sink.createWriteStream(key)),
        refused,
        `write ${JSON.stringify(key)}`,
      )
    }
    assert.deepEqual(await keysOf(sink), [])
  },

  'what is put again replaces what was there': async (sink) => {
    await sink.put('object', sample(5000, 1))
    await sink.put('object', sample(5000, 1))
    await sink.put('object', sample(70, 2))
    assert.equal(digest(await sink.get('object')), digest(sample(70, 2)))
    await pipeline(Readable.from([sample(9000, 3)]), sink.createWriteStream('object'))
    assert.equal(digest(await sink.get('object')), digest(sample(9000, 3)))
    assert.deepEqual(await keysOf(sink), ['object'])
  },

  'ifAbsent never replaces': async (sink, { ifAbsent }) => {
    if (!ifAbsent) return
    const only: PutOptions = { ifAbsent: true }
    await sink.put('object', sample(100, 1), only)
    await assert.rejects(sink.put('object', sample(100, 2), only), { code: 'exists' })
    await assert.rejects(pipeline(Readable.from([sample(100, 3)]), sink.createWriteStream('object', only)), {
      code: 'exists',
    })
    assert.equal(digest(await sink.get('object')), digest(sample(100, 1)))
    const puts = await Promise.allSettled(
      [1, 2, 3, 4].map((seed) => sink.put('raced', sample(200_000, seed), only)),
    )
    assert.equal(puts.filter(({ status }) => status === 'fulfilled').length, 1)
  },

  'of several writers at once one wins, whole': async (sink) => {
    const seeds = [1, 2, 3, 4]
    await Promise.all(seeds.map((seed) => sink.put('raced', sample(MIB + seed, seed))))
    const won = digest(await sink.get('raced'))
    assert.ok(
      seeds.some((seed) => digest(sample(MIB + seed, seed)) === won),
      'what is there is none of what was put',
    )
    assert.deepEqual(await keysOf(sink), ['raced'])
  },

  'a reader sees the old object or the new one, never a mixture': async (sink) => {
    const versions = [1, 2, 3].map((seed) => sample(2 * MIB, seed))
    const known = new Set(versions.map(digest))
    await sink.put('object', versions[0] ?? new Uint8Array())
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 6; i++) await sink.put('object', versions[i % 3] ?? new Uint8Array())
      writing = false
    })()
    while (writing) assert.ok(known.has(digest(await sink.get('object'))), 'a mixture was read')
    await writer
  },

  [LONG_LISTING]: async (sink, { listed, there = 0, putsAtOnce }) => {
    const objects = manyObjects(listed)
    const keys = objects.map(({ key }) => key)
    const left = objects.slice(there).values()
    const putNext = async () => {
      for (const { key, bytes } of left) await sink.put(key, bytes)
    }
    await Promise.all(Array.from({ length: putsAtOnce }, putNext))
    await sink.put('other', sample(1))
    const infos: { key: string; sizeBytes: number }[] = []
    for await (const { key, sizeBytes } of sink.list('packs/')) infos.push({ key, sizeBytes })
    assert.equal(infos.length, listed)
    assert.deepEqual(infos.map(({ key }) => key).sort(), keys.sort())
    assert.ok(infos.every(({ key, sizeBytes }) => sizeBytes === key.charCodeAt(key.length - 1)))
    // More than any provider takes in one request.
    const gone = new Set(keys.slice(0, MANY_DELETED))
    const failed = await sink.deleteMany([...gone])
    assert.deepEqual([...failed], [])
    assert.deepEqual(await keysOf(sink), ['other', ...keys.filter((key) => !gone.has(key))])
  },

  'a prefix takes what is below it, and nothing beside it': async (sink) => {
    await Promise.all(['a.b', 'ab/c', 'a/b/c', 'a/b2', 'b'].map((key) => sink.put(key, sample(1))))
    assert.deepEqual(await keysOf(sink, 'a/'), ['a/b/c', 'a/b2'])
    assert.deepEqual(await keysOf(sink, 'a/b/'), ['a/b/c'])
    assert.deepEqual(await keysOf(sink, 'none/'), [])
    assert.equal((await keysOf(sink)).length, 5)
  },

  'a range is those bytes, and one that can not be filled is refused': async (sink) => {
    const bytes = sample(300_000)
    await sink.put('object', bytes)
    for (const [offset, length] of [
      [0, 1],
      [299_999, 1],
      [0, 300_000],
      [1000, 70_000],
      [300_000, 0],
      [5, 0],
    ] as const) {
      const wanted = digest(bytes.subarray(offset, offset + length))
      assert.equal(
        digest(await sink.get('object', { offset, length })),
        wanted,
        `get ${length} from ${offset}`,
      )
      assert.equal(
        digest(await readAll(sink, 'object', { offset, length })),
        wanted,
        `read ${length} from ${offset}`,
      )
    }
    assert.equal(digest(await sink.get('object', { offset: 299_000 })), digest(bytes.subarray(299_000)))
    for (const [offset, length] of [
      [300_000, 1],
      [299_999, 2],
      [400_000, 1],
      [0, 300_001],
    ] as const) {
      await assert.rejects(
        sink.get('object', { offset, length }),
        { code: 'range' },
        `get ${length} from ${offset}`,
      )
      await assert.rejects(
        readAll(sink, 'object', { offset, length }),
        { code: 'range' },
        `read ${length} from ${offset}`,
      )
    }
  },

  'what has more bytes than may be read is corrupt, and is not read': async (sink) => {
    const bytes = sample(300_000)
    await sink.put('object', bytes)
    assert.equal(digest(await sink.get('object', { maxBytes: 300_000 })), digest(bytes))
    assert.equal((await sink.get('object', { offset: 299_990, maxBytes: 10 })).length, 10)
    assert.equal((await readAll(sink, 'object', { offset: 7, length: 10, maxBytes: 10 })).length, 10)
    for (const range of [{}, { offset: 1 }, { offset: 1, length: 70_001 }]) {
      let reported = 0
      const options = { ...range, maxBytes: 70_000, onBytes: (size: number) => void (reported += size) }
      const longer = { code: 'corrupt', key: 'object' }
      await assert.rejects(sink.get('object', options), longer, `get ${JSON.stringify(range)}`)
      await assert.rejects(readAll(sink, 'object', options), longer, `read ${JSON.stringify(range)}`)
      assert.equal(reported, 0, 'bytes were read')
    }
  },

  'what is absent is undefined, not-found, or deleted already': async (sink) => {
    assert.equal(await sink.head('absent/object'), undefined)
    await assert.rejects(sink.get('absent/object'), {
      name: 'SinkError',
      code: 'not-found',
      key: 'absent/object',
    })
    await assert.rejects(readAll(sink, 'absent/object'), { name: 'SinkError', code: 'not-found' })
    await sink.delete('absent/object')
    assert.deepEqual([...(await sink.deleteMany(['absent/a', 'absent/b']))], [])
  },

  'what was deleted is gone, and can be put again': async (sink) => {
    await sink.put('packs/object', sample(10))
    await sink.delete('packs/object')
    assert.deepEqual([await sink.head('packs/object'), await keysOf(sink)], [undefined, []])
    await sink.put('packs/object', sample(20), { ifAbsent: false })
    assert.equal((await sink.head('packs/object'))?.sizeBytes, 20)
  },

  'storedAt is about now, by a clock that is about right': async (sink) => {
    await sink.put('object', sample(10))
    const offMs = Math.abs(((await sink.head('object'))?.storedAt.getTime() ?? 0) - Date.now())
    assert.ok(offMs < 60_000, `stored ${offMs} ms from now`)
  },

  'deleteMany tells onBytes that it goes on: of many the last comes late': async (sink) => {
    const keys = Array.from({ length: 12 }, (_, i) => `packs/${i}`)
    await Promise.all(keys.map((key) => sink.put(key, sample(10))))
    let reported = 0
    const failed = await sink.deleteMany(keys, { onBytes: () => void reported++ })
    assert.equal(failed.size, 0)
    assert.ok(reported > 0, 'nothing was heard of it')
  },

  'onBytes is told of every byte that goes out, in small pieces, and can hold the next one back': async (
    sink,
  ) => {
    const bytes = sample(3 * MIB)
    let reported = 0
    let running = false
    const onBytes = async (sizeBytes: number) => {
      assert.ok(sizeBytes <= 256 * 1024, `a piece of ${sizeBytes} bytes`)
      assert.equal(running, false, 'told of two pieces at once')
      running = true
      reported += sizeBytes
      await sleep(1)
      running = false
    }
    await sink.put('object', bytes, { onBytes })
    assert.ok(reported >= bytes.length && reported <= 2 * bytes.length, `told of ${reported} bytes`)
    assert.equal(digest(await sink.get('object')), digest(bytes))
  },

  'a signal that has fired stops every request, with its reason': async (sink) => {
    await sink.put('object', sample(100))
    const reason = new Error('no longer wanted')
    const options = { signal: AbortSignal.abort(reason) }
    const whole = async () => {
      for await (const _ of sink.list('', options)) assert.fail('listed')
    }
    const requests: Record<string, () => Promise<unknown>> = {
      put: () => sink.put('new', sample(100), options),
      get: () => sink.get('object', options),
      head: () => sink.head('object', options),
      delete: () => sink.delete('object', options),
      read: () => readAll(sink, 'object', options),
      list: whole,
    }
    for (const [name, request] of Object.entries(requests)) {
      await assert.rejects(request(), (error) => error === reason || isAbortOf(error, reason), name)
    }
    assert.deepEqual(await keysOf(sink), ['object'])
  },

  'a signal that fires in the middle of a put or a stream leaves nothing visible': async (sink) => {
    const reason = new Error('no longer wanted')
    const putting = new AbortController()
    const onBytes = async (): Promise<void> => putting.abort(reason)
    await assert.rejects(
      sink.put('put', sample(8 * MIB), { signal: putting.signal, onBytes }),
      (error) => error === reason || isAbortOf(error, reason),
    )
    const streaming = new AbortController()
    const endless = async function* () {
      for (let i = 0; ; i++) {
        if (i === 40) streaming.abort(reason)
        yield sample(65_536)
        await sleep(0)
      }
    }
    await assert.rejects(
      pipeline(endless, sink.createWriteStream('streamed', { signal: streaming.signal })),
      (error) => error === reason || isAbortOf(error, reason),
    )
    await sleep(50)
    assert.deepEqual(await keysOf(sink), [])
  },

  'a reader that is destroyed half-way holds nothing up': async (sink) => {
    await sink.put('object', sample(8 * MIB))
    for (let i = 0; i < 12; i++) {
      const stream = await sink.createReadStream('object')
      stream.on('error', () => undefined)
      for await (const _ of stream) break
      stream.destroy()
    }
    assert.equal((await sink.get('object')).length, 8 * MIB)
  },

  'where it can say how much room there is, it says a number of bytes': async (sink) => {
    if (!sink.freeBytes) return
    const free = await sink.freeBytes({})
    assert.ok(free === undefined || (Number.isSafeInteger(free) && free >= 0), `it says ${String(free)}`)
  },

  'back-pressure reaches the source of a stream': async (sink) => {
    const piece = sample(65_536)
    let taken = 0
    const source = async function* () {
      for (; taken < 4096; taken++) yield piece
    }
    const release = Promise.withResolvers<void>()
    const stream = sink.createWriteStream('held', { onBytes: () => release.promise })
    const held = pipeline(source, stream).catch(() => undefined)
    await sleep(300)
    const bytes = taken * piece.length
    stream.destroy()
    release.resolve()
    await held
    assert.ok(bytes <= 96 * MIB, `${bytes} bytes were taken up without one going out`)
  },
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function closed(stream: Writable): Promise<void> {
  return stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once('close', () => resolve()))
}

/** Node's streams wrap the reason: an AbortError with it as its cause. */
function isAbortOf(error: unknown, reason: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError' && error.cause === reason
}

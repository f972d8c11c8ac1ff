import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PutOptions } from '../sink.ts'
import { SinkError } from '../sink-error.ts'
import type { Check } from './check.ts'
import { digest, keysOf, readAll, sample } from './sample.ts'

const LONGEST_KEY = `packs/${'a'.repeat(97)}/${'b'.repeat(96)}`
const MIB = 1024 * 1024
const SMALL_SIZES = [0, 1, 255, 4096, 65_537, MIB + 1]
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

/** What is stored, and by whom it is seen. */
export const storing: Readonly<Record<string, Check>> = {
  'what was put is read, whatever its size': async (sink, { largestBytes }) => {
    const put = async (size: number) => {
      const key = `sizes/${size}`
      const bytes = sample(size, size)
      await sink.put(key, bytes)
      return { key, size, bytes: digest(bytes) }
    }
    // The small ones at once, and the large one by itself.
    const objects = [...(await Promise.all(SMALL_SIZES.map(put))), await put(largestBytes)]
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

  'a reader sees the old object or the new one, never a mixture': async (
    sink,
    { replacesInTwoSteps = false },
  ) => {
    const versions = [1, 2, 3].map((seed) => sample(2 * MIB, seed))
    const known = new Set(versions.map(digest))
    await sink.put('object', versions[0] ?? new Uint8Array())
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 6; i++) await sink.put('object', versions[i % 3] ?? new Uint8Array())
      writing = false
    })()
    const read = async (): Promise<void> => {
      assert.ok(known.has(digest(await sink.get('object'))), 'a mixture was read')
    }
    while (writing)
      await read().catch((error: unknown) => {
        if (!replacesInTwoSteps || !(error instanceof SinkError)) throw error
      })
    await writer
    await read()
  },
}

function closed(stream: Writable): Promise<void> {
  return stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once('close', () => resolve()))
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

import assert from 'node:assert/strict'
import type { Check } from './check.ts'
import { manyObjects } from './many-objects.ts'
import { digest, keysOf, readAll, sample } from './sample.ts'

const MANY_DELETED = 1200
export const LONG_LISTING = 'a long listing is whole, and has each object once, with its size'

/** What is listed, read and deleted. */
export const reading: Readonly<Record<string, Check>> = {
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

  'what is got is in memory of its own: whoever gets it may free it': async (sink) => {
    const bytes = sample(400_000)
    await sink.put('object', bytes)
    for (const range of [{}, { offset: 10, length: 300_000 }]) {
      const { buffer } = await sink.get('object', range)
      assert.ok(buffer instanceof ArrayBuffer)
      buffer.transfer(0)
    }
    assert.equal(digest(await sink.get('object')), digest(bytes))
    assert.equal(digest(bytes), digest(sample(400_000)))
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

  'deleteMany reports to onBytes that it goes on: of many the last comes late': async (sink) => {
    const keys = Array.from({ length: 12 }, (_, i) => `packs/${i}`)
    await Promise.all(keys.map((key) => sink.put(key, sample(10))))
    let reported = 0
    const failed = await sink.deleteMany(keys, { onBytes: () => void reported++ })
    assert.equal(failed.size, 0)
    assert.ok(reported > 0, 'nothing was heard of it')
  },
}

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChunkKind } from '../format/chunk-codec.ts'
import { ChunkIndex } from './chunk-index.ts'

function idOf(number: number): Buffer {
  return createHash('sha256').update(String(number)).digest()
}

/** Ids with few first bytes, so that many begin at the same slot. */
function collidingId(number: number): Buffer {
  const id = idOf(number)
  id.writeUInt32LE(number % 7, 0)
  return id
}

const number = fc.nat(60)
const step = fc.oneof(
  fc.record({ do: fc.constant('packed' as const), number, pack: fc.nat(3), position: fc.nat(500) }),
  fc.record({ do: fc.constant('pending' as const), number }),
  fc.record({ do: fc.constant('live' as const), number, used: fc.nat(200) }),
)
interface Known {
  kind: ChunkKind
  rawLength: number
  at: { pack: string; position: number } | undefined
  live: boolean
  used: number
}

test('it does what a Map of objects would, however ids collide', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const index = new ChunkIndex()
      const model = new Map<number, Known>()
      for (const taken of steps) {
        const id = collidingId(taken.number)
        const known = model.get(taken.number)
        const kind = (taken.number % 3) as ChunkKind
        const rawLength = 100 + taken.number
        if (taken.do === 'live') {
          expect(index.markLive(id, taken.used)).toBe(known !== undefined)
          if (known) Object.assign(known, { live: true, used: known.used + taken.used })
          continue
        }
        const at =
          taken.do === 'packed' ? { pack: `pack ${taken.pack}`, position: taken.position } : undefined
        if (at) index.addPacked(id, kind, rawLength, at.pack, at.position)
        else index.addPending(id, kind, rawLength)
        if (!known) model.set(taken.number, { kind, rawLength, at, live: false, used: 0 })
        else known.at ??= at
      }
      index.keepWalk()
      expect(index.size).toBe(model.size)
      for (let i = 0; i <= 60; i++) expect(index.has(collidingId(i))).toBe(model.has(i))
      const live = [...model].filter(([, known]) => known.live)
      const dead = live.filter(([, { kind, used, rawLength }]) => kind === 0 && used * 2 < rawLength)
      expect(new Set(Array.from(index.mostlyDead(), toHex))).toEqual(
        new Set(dead.map(([i]) => toHex(collidingId(i)))),
      )
      if (live.some(([, { at }]) => !at)) {
        expect(() => index.livePacks()).toThrow('in no pack')
        return
      }
      const bits = [...index.livePacks()].flatMap(([pack, bitmap]) =>
        Array.from({ length: bitmap.length * 8 }, (_, i) => i)
          .filter((i) => (bitmap[i >> 3] ?? 0) & (1 << (i & 7)))
          .map((position) => `${pack} ${position}`),
      )
      expect(bits.sort()).toEqual(
        [...new Set(live.map(([, { at }]) => `${at?.pack} ${at?.position}`))].sort(),
      )
    }),
    { numRuns: 300 },
  )
})

test('it grows past what was expected, and loses nothing', () => {
  const index = new ChunkIndex()
  for (let i = 0; i < 20_000; i++) index.addPacked(idOf(i), 0, 10, `pack ${i % 5}`, i)
  for (let i = 0; i < 20_000; i++) expect(index.markLive(idOf(i), 10)).toBe(true)
  index.keepWalk()
  expect(index.size).toBe(20_000)
  expect(index.has(idOf(20_000))).toBe(false)
  expect(
    [...index.livePacks().values()].reduce(
      (sum, bitmap) => sum + bitmap.reduce((a, b) => a + bitsOf(b), 0),
      0,
    ),
  ).toBe(20_000)
  expect([...index.mostlyDead()]).toEqual([])
})

test('a pack with more chunks than a call can have arguments has its bitmap', () => {
  const index = new ChunkIndex()
  const id = Buffer.alloc(32)
  for (let i = 0; i < 300_000; i++) {
    id.writeUInt32LE(i, 0)
    index.addPacked(id, 0, 10, 'pack', i)
    index.markLive(id, 10)
  }
  index.keepWalk()
  expect(index.livePacks().get('pack')?.length).toBe(37_500)
})

test('what a pass has marked counts for nothing when the source is walked again, or fails', () => {
  const index = new ChunkIndex()
  for (let i = 0; i < 3; i++) index.addPacked(idOf(i), 0, 100, 'pack', i)
  index.markLive(idOf(0), 100)
  index.keepWalk()
  index.markLive(idOf(1), 40)
  index.beginWalk()
  index.markLive(idOf(2), 40)
  index.keepWalk()
  index.markLive(idOf(1), 100)
  index.beginWalk()
  expect([...index.livePacks()]).toEqual([['pack', Buffer.from([0b101])]])
  expect(Array.from(index.mostlyDead(), toHex)).toEqual([toHex(idOf(2))])
})

test('a chunk that is used for more bytes than a number of 32 bits holds is not mostly dead', () => {
  const index = new ChunkIndex()
  index.addPacked(idOf(1), 0, 100, 'pack', 0)
  for (let i = 0; i < 2; i++) {
    index.markLive(idOf(1), 2 ** 31)
    index.markLive(idOf(1), 2 ** 31)
    index.keepWalk()
  }
  expect([...index.mostlyDead()]).toEqual([])
})

test('an entry takes 53 bytes and its place in the table, also while the index grows', () => {
  const before = process.memoryUsage().arrayBuffers
  const index = new ChunkIndex()
  const id = Buffer.alloc(32)
  let most = 0
  for (let i = 0; i < 300_000; i++) {
    id.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0, 0)
    index.addPending(id, 0, 10)
    if (i % 10_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  expect(index.size).toBe(300_000)
  // What a test before this left behind may be freed meanwhile, and makes it less; 168 bytes an entry, and as much again while it is copied, would be more.
  expect(most).toBeLessThan(300_000 * 100)
})

function bitsOf(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

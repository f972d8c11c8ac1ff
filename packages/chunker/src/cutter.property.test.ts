import { createCipheriv, createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunks } from './chunks.ts'
import { createGear } from './gear.ts'

const KEY = new Uint8Array(32).fill(3)
const gear = createGear(KEY)
const random = (length: number, seed = 0) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length))

async function cut(
  bytes: Uint8Array,
  pieces: readonly number[],
  averageBytes = 1024,
  table = gear,
): Promise<Buffer[]> {
  async function* source() {
    let at = 0
    for (let i = 0; at < bytes.length; i++) {
      const length = pieces[i % pieces.length] ?? bytes.length
      yield bytes.subarray(at, at + length)
      at += length
    }
  }
  const found: Buffer[] = []
  for await (const chunk of chunks(source(), { gear: table, averageBytes })) found.push(Buffer.from(chunk))
  return found
}

test('chunks are the input, within the bounds, and cut the same whatever the pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(60_000),
      fc.nat(200),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 5 }),
      async (length, seed, pieces) => {
        const bytes = random(length, seed)
        const whole = await cut(bytes, [length + 1])
        const pieced = await cut(bytes, pieces)
        expect(Buffer.concat(whole).equals(bytes)).toBe(true)
        expect(pieced.map((chunk) => chunk.length)).toEqual(whole.map((chunk) => chunk.length))
        for (const chunk of whole.slice(0, -1)) {
          expect(chunk.length).toBeGreaterThanOrEqual(256)
          expect(chunk.length).toBeLessThanOrEqual(4096)
        }
      },
    ),
  )
})

test('one byte at a time makes the same chunks', async () => {
  const bytes = random(20_000)
  expect((await cut(bytes, [1])).length).toBe((await cut(bytes, [20_000])).length)
})

test('the mean is near the average that was asked for', async () => {
  const found = await cut(random(8 * 1024 * 1024), [1 << 20], 8192)
  const mean = (8 * 1024 * 1024) / found.length
  expect(mean).toBeGreaterThan(8192 * 0.8)
  expect(mean).toBeLessThan(8192 * 1.35)
})

test('bytes put in front change the first chunks alone', async () => {
  const bytes = random(400_000)
  const name = (chunk: Buffer) => createHash('sha256').update(chunk).digest('hex')
  const before = new Set((await cut(bytes, [65_536])).map(name))
  const after = (await cut(Buffer.concat([Buffer.from('new'), bytes]), [65_536])).map(name)
  expect(after.filter((id) => !before.has(id)).length).toBeLessThanOrEqual(3)
})

test('another key cuts elsewhere', async () => {
  const bytes = random(200_000)
  const ends = (found: Buffer[]) => {
    let at = 0
    return found.map((chunk) => (at += chunk.length))
  }
  const ours = new Set(ends(await cut(bytes, [65_536])))
  const theirs = ends(await cut(bytes, [65_536], 1024, createGear(new Uint8Array(32).fill(4))))
  expect(theirs.filter((end) => ours.has(end)).length).toBeLessThan(theirs.length / 4)
})

test('the cuts of this version are pinned: others would store everything again', async () => {
  const lengths = (await cut(random(30_000), [30_000])).map((chunk) => chunk.length)
  expect(lengths).toMatchSnapshot()
})

test('zeros are cut at the largest size', async () => {
  expect((await cut(Buffer.alloc(10_000), [3000])).map((chunk) => chunk.length)).toEqual([4096, 4096, 1808])
})

test('an average that is no power of two is refused', async () => {
  await expect(cut(Buffer.alloc(10), [10], 1000)).rejects.toThrow(RangeError)
})

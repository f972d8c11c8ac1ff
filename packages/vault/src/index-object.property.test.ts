import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeIndex, encodeIndex } from './index-object.ts'
import { outcomeOf } from './test-support/outcome.ts'

const packs = fc.array(
  fc.record({
    name: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    sizeBytes: fc.nat(0xffffffff),
    footer: fc.uint8Array({ maxLength: 200 }),
  }),
  { maxLength: 10 },
)

test('an index is read as it was written', () => {
  fc.assert(
    fc.property(packs, (written) => {
      const read = decodeIndex(encodeIndex(written))
      expect(read.map((pack) => ({ ...pack, footer: Uint8Array.from(pack.footer) }))).toEqual(written)
    }),
  )
})

test('an index that is too short or too long is corrupt', () => {
  fc.assert(
    fc.property(packs, fc.nat(), (written, cut) => {
      const bytes = encodeIndex(written)
      expect(outcomeOf(() => decodeIndex(bytes.subarray(0, cut % bytes.length)))).toBe('corrupt')
      expect(outcomeOf(() => decodeIndex(Buffer.concat([bytes, Buffer.of(0)])))).toBe('corrupt')
    }),
  )
})

test('bytes of any kind are an index or corrupt, and hostile counts are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(['returned', 'corrupt']).toContain(outcomeOf(() => decodeIndex(bytes)))
    }),
  )
  expect(outcomeOf(() => decodeIndex(Buffer.alloc(100, 0xff)))).toBe('corrupt')
})

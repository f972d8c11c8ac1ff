import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcomeOf } from '../test-support/outcome.ts'
import { HOST } from '../test-support/test-host.ts'
import { decodeIndex, encodeIndex, sealIndexes } from './index-object.ts'
import { openObject } from './sealed-object.ts'

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

test('packs that are too many for one index are in several, in order, each once', () => {
  fc.assert(
    fc.property(packs, fc.integer({ min: 1, max: 1000 }), (written, maxBytes) => {
      const indexes = sealIndexes(HOST, written, maxBytes)
      const contents = indexes.map(({ key, object }) => openObject(HOST.keys, key, object).content)
      expect(contents.flatMap((content) => decodeIndex(content).map(({ name }) => name))).toEqual(
        written.map(({ name }) => name),
      )
      for (const content of contents) {
        const isOne = decodeIndex(content).length === 1
        expect(content.length <= maxBytes + 4 || isOne).toBe(true)
      }
    }),
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcomeOf } from '../test-support/outcome.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const field = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant('uvarint' as const), value: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('svarint' as const),
    value: fc.bigInt(-(2n ** 52n), 2n ** 52n - 1n).map(Number),
  }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'grapheme', maxLength: 40 }) }),
)
type Field = typeof field extends fc.Arbitrary<infer T> ? T : never

function write(fields: readonly Field[]): Buffer {
  const writer = new ByteWriter(1)
  for (const { kind, value } of fields) {
    if (kind === 'bytes') writer.bytes(value)
    else if (kind === 'text') writer.text(value)
    else writer[kind](value)
  }
  return writer.copy()
}

function read(bytes: Uint8Array, fields: readonly Field[]): unknown[] {
  const reader = new ByteReader(bytes, 'a test')
  const values = fields.map(({ kind }) => {
    const value = reader[kind]()
    return typeof value === 'object' ? Uint8Array.from(value) : value
  })
  reader.end()
  return values
}

test('what was written is read, and nothing is left', () => {
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      expect(read(write(fields), fields)).toEqual(fields.map(({ value }) => value))
    }),
  )
})

test('whatever is cut off or added is corrupt', () => {
  fc.assert(
    fc.property(fc.array(field, { minLength: 1 }), fc.nat(), (fields, cut) => {
      const bytes = write(fields)
      expect(outcomeOf(() => read(bytes.subarray(0, cut % bytes.length), fields))).toBe('corrupt')
      expect(outcomeOf(() => read(Buffer.concat([bytes, Buffer.of(0)]), fields))).toBe('corrupt')
    }),
  )
})

test('bytes of any kind give a value or are corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(field), (bytes, fields) => {
      expect(['returned', 'corrupt']).toContain(outcomeOf(() => read(bytes, fields)))
    }),
  )
})

test.for([
  ['2^53 − 1 is the largest number', 'ffffffffffffff0f', Number.MAX_SAFE_INTEGER],
  ['2^53 is refused', '8080808080808010', 'corrupt'],
  ['nine bytes of padding are read', '808080808080808000', 0],
  ['ten bytes are refused', '80808080808080808000', 'corrupt'],
  ['a number without an end is refused', 'ffffff', 'corrupt'],
])('%s', ([, hex, expected]) => {
  const bytes = Buffer.from(String(hex), 'hex')
  const uvarint = () => new ByteReader(bytes, 'a test').uvarint()
  if (typeof expected === 'number') expect(uvarint()).toBe(expected)
  else expect(outcomeOf(uvarint)).toBe(expected)
})

test.for([
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [-64, '7f'],
  [64, '8001'],
])('the zigzag form of %i is %s', ([value, hex]) => {
  const writer = new ByteWriter()
  writer.svarint(Number(value))
  expect(writer.copy().toString('hex')).toBe(hex)
})

test.for([-1, 0.5, 2 ** 53, Number.NaN])('%d is not written', (value) => {
  expect(() => new ByteWriter().uvarint(value)).toThrow(RangeError)
})

test('a count that the bytes can not hold is refused before anything is made for it', () => {
  const reader = new ByteReader(Buffer.from('ffffffffffffff0f', 'hex'), 'a test')
  expect(outcomeOf(() => reader.count(1))).toBe('corrupt')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { zipNameOf } from './zip-names.ts'

const name = (text: string) => zipNameOf(Buffer.from(text))

test('ordinary names stay as they are, what would be taken for something else is escaped', () => {
  expect(name('tree/über alles/🦊 100%.txt')).toBe('tree/über alles/🦊 100%.txt')
  expect(name('tree/a\\b\nc')).toBe('tree/a%5Cb%0Ac')
  expect(name('tree/%5C')).toBe('tree/%255C')
  const latin = Buffer.concat([Buffer.from('tree/é/latin-'), Buffer.from([0xe9, 0xff]), Buffer.from('%41/x')])
  expect(zipNameOf(latin)).toBe('tree/é/latin-%E9%FF%2541/x')
})

test('no two paths get the same name, and none has a control or a backslash', () => {
  const byte = fc.oneof(
    fc.constantFrom(...Buffer.from('%5C\\/\nEe9'), 0xe9, 0xc3),
    fc.integer({ min: 1, max: 255 }),
  )
  const path = fc.array(byte, { minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(path, path, (one, other) => {
      expect(zipNameOf(one)).not.toMatch(/[\p{Cc}\\]/u)
      // An escape is undone by reading it: the bytes are all there.
      expect(decode(zipNameOf(one))).toEqual([...one])
      if (!one.equals(other)) expect(zipNameOf(one)).not.toBe(zipNameOf(other))
    }),
  )
})

function decode(name: string): number[] {
  const parts = name.split(/(%[0-9A-F]{2})/)
  return parts.flatMap((part, i) =>
    i % 2 === 1 ? [Number.parseInt(part.slice(1), 16)] : [...Buffer.from(part)],
  )
}

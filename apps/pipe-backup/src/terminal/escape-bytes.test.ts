import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeBytes } from './escape-bytes.ts'

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

test.for([
  ['plain name.txt', 'plain name.txt'],
  ['grüße-日本.txt', 'grüße-日本.txt'],
  ['two\nlines\tand\r', 'two\\nlines\\tand\\r'],
  ['red \u001B[31m', 'red \\x1b[31m'],
  ['evil\u202Etxt.exe', 'evil\\u{202e}txt.exe'],
  ['zero\u200Bwidth', 'zero\\u{200b}width'],
  ['line\u2028separator', 'line\\u{2028}separator'],
  ['back\\slash', 'back\\\\slash'],
  ['\u009B31m', '\\u{9b}31m'],
] as const)('%j is shown as %s', ([name, shown]) => {
  expect(escapeBytes(Buffer.from(name))).toBe(shown)
})

test('bytes that are no UTF-8 are shown one by one, and what is around them as it is', () => {
  expect(escapeBytes(bytes(0x61, 0xff, 0xc3, 0xbc, 0xc3, 0x0a))).toBe('a\\xffü\\xc3\\n')
})

test('no two names look the same, and none has a control in it', () => {
  const name = fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Uint8Array.from(Buffer.from(text))),
  )
  fc.assert(
    fc.property(name, name, (a, b) => {
      const shown = escapeBytes(a)
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(shown === escapeBytes(b)).toBe(Buffer.compare(a, b) === 0)
    }),
    { numRuns: 2000 },
  )
})

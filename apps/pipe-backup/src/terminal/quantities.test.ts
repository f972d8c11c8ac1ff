import { expect, test } from 'vitest'
import { formatBytes, formatCount, formatSeconds, plural } from './quantities.ts'

test.for([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1_048_575, '1.0 MiB'],
  [1_610_612_736, '1.5 GiB'],
  [2 ** 70, '1024.0 EiB'],
] as const)('%d bytes are %s', ([bytes, shown]) => {
  expect(formatBytes(bytes)).toBe(shown)
})

test.for([
  [0, '0.0 s'],
  [9.96, '10 s'],
  [59.6, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
  [7199, '2 h 0 min'],
] as const)('%d seconds are %s', ([seconds, shown]) => {
  expect(formatSeconds(seconds)).toBe(shown)
})

test('counts have commas, and nouns agree with them', () => {
  for (const count of [0, 7, 999, 1000, 12_345, 123_456, 1_234_567, Number.MAX_SAFE_INTEGER])
    expect(formatCount(count)).toBe(count.toLocaleString('en-US'))
  expect(plural(1, 'entry', 'entries')).toBe('1 entry')
  expect(plural(0, 'sink')).toBe('0 sinks')
})

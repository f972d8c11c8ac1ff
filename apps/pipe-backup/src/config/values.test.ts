import { expect, test } from 'vitest'
import { duration, size, toBytes, toMilliseconds, toTimerMilliseconds } from './values.ts'

test.for([
  [30, 30_000],
  ['90s', 90_000],
  ['15m', 900_000],
  ['1.5h', 5_400_000],
  ['1d', 86_400_000],
  ['2w', 1_209_600_000],
] as const)('the duration %s is %d ms', ([value, milliseconds]) => {
  expect(duration.safeParse(value).success).toBe(true)
  expect(toMilliseconds(value)).toBe(milliseconds)
})

test.for(['', '5', '5 fortnights', '-1d', 'd', 0, -3])('%j is no duration', (value) => {
  expect(duration.safeParse(value).success).toBe(false)
})

test.for([
  [4096, 4096],
  ['500KB', 500_000],
  ['500k', 500_000],
  ['2MiB', 2_097_152],
  ['1.5 GiB', 1_610_612_736],
  ['100B', 100],
] as const)('the size %s is %d bytes', ([value, bytes]) => {
  expect(size.safeParse(value).success).toBe(true)
  expect(toBytes(value)).toBe(bytes)
})

test.for(['', '5', '2Mib', '-1k', 'MiB', 0, 1.5])('%j is no size', (value) => {
  expect(size.safeParse(value).success).toBe(false)
})

test('a wait of months is one that a timer can keep', () => {
  expect(toTimerMilliseconds('10w')).toBe(2 ** 31 - 1)
  expect(toTimerMilliseconds('90s')).toBe(90_000)
})

import { expect, test } from 'vitest'
import { isTelling, mayHideChange, msUntilTelling } from './clock-tick.ts'

const NOW_MS = 1_700_000_000_500
const agoNs = (ms: number) => BigInt(NOW_MS - ms) * 1_000_000n + 1n
const wholeSecond = 1_700_000_000n * 1_000_000_000n

test('a stamp is conclusive once it is older than any tick', () => {
  expect([0, 49, 52, 10_000, -10].map((ms) => isTelling(agoNs(ms), NOW_MS))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ])
})

test('a stamp in whole seconds is conclusive only when it is older than those of FAT', () => {
  expect(isTelling(wholeSecond, NOW_MS)).toBe(false)
  expect(isTelling(wholeSecond, NOW_MS + 2_000)).toBe(true)
})

test('waiting as long as it says makes a stamp conclusive', () => {
  for (let ms = -50; ms < 60; ms++) {
    const wait = msUntilTelling(agoNs(ms), NOW_MS)
    expect(isTelling(agoNs(ms), NOW_MS + wait)).toBe(true)
    expect(wait).toBeLessThanOrEqual(101)
  }
})

test('a time to come, which no change can leave, is not waited for and hides none', () => {
  expect(msUntilTelling(agoNs(-3_600_000), NOW_MS)).toBe(0)
  expect(mayHideChange(agoNs(-3_600_000), NOW_MS)).toBe(false)
})

test('a change can hide behind a stamp of this tick, and behind no older one', () => {
  expect([0, 10, 21, -10].map((ms) => mayHideChange(agoNs(ms), NOW_MS))).toEqual([true, true, false, true])
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BYTE_STEPS, LAG_STEPS, ticksUpTo } from './plot-scale.ts'

test('an axis of sizes has whole units, one of lags whole hours', () => {
  expect(ticksUpTo(3_000_000, BYTE_STEPS)).toEqual([0, 1, 2, 3].map((mib) => mib * 1024 * 1024))
  expect(ticksUpTo(5 * 3_600_000, LAG_STEPS)).toEqual([0, 1, 2, 3, 4, 5].map((hours) => hours * 3_600_000))
  expect(ticksUpTo(0, LAG_STEPS)).toEqual([0, 60_000])
})

test('the highest value is below the top, and there are few ticks, whatever it is', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e300, noNaN: true }), (highest) => {
      for (const steps of [BYTE_STEPS, LAG_STEPS]) {
        const ticks = ticksUpTo(highest, steps)
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(highest * 0.999_999)
        expect(ticks.length).toBeLessThanOrEqual(7)
      }
    }),
  )
})

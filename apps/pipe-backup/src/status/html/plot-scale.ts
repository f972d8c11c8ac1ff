/** How many lines of an axis there are at most, besides that of zero. */
const MAX_TICKS = 5

/**
 * The ticks of an axis that begins at zero: the smallest of these steps of which few enough reach to the highest value.
 * @param steps - ascending
 * @returns from zero on; the last is the top of the axis, and not below the highest value
 */
export function ticksUpTo(highest: number, steps: readonly number[]): number[] {
  const fits = (step: number): boolean => highest / step <= MAX_TICKS
  const step = steps.find(fits) ?? Math.max(1, highest / MAX_TICKS)
  const count = Math.max(1, Math.ceil(highest / step))
  return Array.from({ length: count + 1 }, (_, i) => i * step)
}

/** Powers of two: an axis of them has whole KiB, MiB and so on. */
export const BYTE_STEPS: readonly number[] = Array.from({ length: 60 }, (_, i) => 2 ** i)

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Of durations, in milliseconds: as people count them. */
export const LAG_STEPS: readonly number[] = [
  ...[1, 5, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 4, 7, 14, 30, 60, 120, 240, 480, 960].map((days) => days * DAY_MS),
]

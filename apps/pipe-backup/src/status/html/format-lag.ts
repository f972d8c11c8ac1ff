import { plural } from '../../terminal/quantities.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** `none`, `3 hours`: in the largest unit of which there are two or more. @param ms - not negative */
export function formatLag(ms: number): string {
  if (ms === 0) return 'none'
  if (ms < 2 * MINUTE_MS) return plural(Math.round(ms / 1000), 'second')
  if (ms < 2 * HOUR_MS) return plural(Math.round(ms / MINUTE_MS), 'minute')
  if (ms < 2 * DAY_MS && ms !== DAY_MS) return plural(Math.round(ms / HOUR_MS), 'hour')
  return plural(Math.round(ms / DAY_MS), 'day')
}

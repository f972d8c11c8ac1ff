import { expect, test } from 'vitest'
import { formatLag } from './format-lag.ts'

test.for([
  [0, 'none'],
  [1000, '1 second'],
  [119_000, '119 seconds'],
  [120_000, '2 minutes'],
  [2 * 3_600_000, '2 hours'],
  [24 * 3_600_000, '1 day'],
  [47 * 3_600_000, '47 hours'],
  [480 * 3_600_000, '20 days'],
] as const)('%i ms is %s', ([ms, text]) => {
  expect(formatLag(ms)).toBe(text)
})

import { expect, test } from 'vitest'
import { progressLines, RecentRate } from './progress-lines.ts'

test('a run is shown with its source, counts, rate and the state of every sink', () => {
  const lines = progressLines(
    {
      phase: 'reading',
      source: 'wallet',
      entries: 1234,
      bytesRead: 3 * 1024 ** 2,
      bytesNew: 1024,
      sinks: [
        { name: 'disk', state: 'ok', bytesSent: 1024, queuedBytes: 0 },
        { name: 'cloud', state: 'detached', bytesSent: 0, queuedBytes: 2048 },
      ],
    },
    512 * 1024,
    2500,
  )
  expect(lines).toEqual([
    'reading wallet  1,234 entries  3.0 MiB read  512.0 KiB/s  1.0 KiB new  2.5 s',
    '  disk   ok        1.0 KiB sent',
    '  cloud  detached  0 B sent, 2.0 KiB waiting',
  ])
})

test('the rate is that of late, not that since the start', () => {
  const rate = new RecentRate(3)
  expect(rate.measure(0, 0)).toBe(0)
  expect(rate.measure(1000, 1000)).toBe(1000)
  rate.measure(1000, 2000)
  rate.measure(1000, 3000)
  expect(rate.measure(1000, 4000)).toBe(0)
})

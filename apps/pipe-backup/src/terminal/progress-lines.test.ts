import { expect, test } from 'vitest'
import { progressLines, RecentRate } from './progress-lines.ts'

test('a run is shown with its source, counts, rate and the state of every sink', () => {
  const lines = progressLines(
    {
      phase: 'reading',
      source: 'wallet',
      entries: 1234,
      bytesRead: 3 * 1024 ** 2,
      bytesUnchanged: 1024 ** 2,
      bytesNew: 1024,
      sinks: [
        { name: 'disk', state: 'ok', bytesSent: 1024, queuedBytes: 0 },
        { name: 'cloud', state: 'detached', bytesSent: 0, queuedBytes: 2048 },
      ],
    },
    { read: 512 * 1024, passed: 1024 ** 2, sent: 0 },
    3500,
    10 * 1024 ** 2,
  )
  expect(lines).toEqual([
    'reading wallet  40%  6.0 s left  3.0 MiB read  512.0 KiB/s  1,234 entries  1.0 KiB new  3.5 s',
    '  disk   ok        1.0 KiB sent',
    '  cloud  detached  0 B sent, 2.0 KiB waiting',
  ])
})

test('what is sent takes as long as the sink that has most before it', () => {
  const sinks = [{ name: 'disk', state: 'ok' as const, bytesSent: 1024, queuedBytes: 4096 }]
  const progress = { phase: 'sending' as const, source: 'x', entries: 1, bytesRead: 0, sinks }
  const [first] = progressLines(progress, { read: 0, passed: 0, sent: 1024 }, 3000, 10)
  expect(first).toBe('sending  4.0 s left  0 B read  1.0 KiB/s  1 entry  3.0 s')
})

test('the rate is that of late, not that since the start', () => {
  const rate = new RecentRate(3)
  expect(rate.measure(0, 0)).toBe(0)
  expect(rate.measure(1000, 1000)).toBe(1000)
  rate.measure(1000, 2000)
  rate.measure(1000, 3000)
  expect(rate.measure(1000, 4000)).toBe(0)
})

import { expect, test } from 'vitest'
import { simulateLife } from './simulated-life.ts'

test('days of hourly runs, with sinks that go away and rot: what is kept restores from every sink, and each flip is repaired', async () => {
  const report = await simulateLife({ hours: 100, seed: 1 })
  expect(report.faults).toEqual([])
  expect(report.snapshotsMade).toBe(100)
  expect(report.snapshotsKept).toBeLessThan(60)
  expect(report.repaired + report.pruned).toBe(report.flips)
  expect(report.slowestRepair).toBeLessThanOrEqual(51)
}, 300_000)

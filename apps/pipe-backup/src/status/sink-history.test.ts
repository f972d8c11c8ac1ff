import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SinkStatus } from '@pipe-backup/vault'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type HistorySample,
  historyOf,
  readSinkHistory,
  recordSinkHistory,
  sampleOf,
  thinHistory,
} from './sink-history.ts'

const HOUR_MS = 3_600_000
const NOW = new Date('2026-11-23T10:30:00Z')
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sink-history-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function sink(name: string, more: Partial<SinkStatus> = {}): SinkStatus {
  return {
    name,
    state: 'ok',
    snapshots: 1,
    behind: 0,
    damaged: 0,
    objects: 1,
    bytes: 100,
    bytesCondemned: 0,
    bytesNew: { day: 0, week: 0, month: 0 },
    growth: [],
    ...more,
  }
}

const at = (hoursAgo: number, bytes: number): HistorySample => ({
  time: new Date(NOW.getTime() - hoursAgo * HOUR_MS).toISOString(),
  sinks: { disk: { bytes, lagMs: 0 } },
})

test('a sample has what each sink that answers holds, and how far its newest snapshot is behind', () => {
  const earlier = new Date(NOW.getTime() - HOUR_MS)
  const sinks = [
    sink('disk', { latest: NOW }),
    sink('cloud', { latest: earlier, bytes: 50 }),
    sink('new', { bytes: 0 }),
    sink('away', { state: 'failed' }),
  ]
  expect(sampleOf(sinks, NOW, NOW)).toEqual({
    time: NOW.toISOString(),
    sinks: { disk: { bytes: 100, lagMs: 0 }, cloud: { bytes: 50, lagMs: HOUR_MS }, new: { bytes: 0 } },
  })
})

test('of two days one sample of each hour is kept, before that one of each day, and none of another clock', () => {
  const hourly = Array.from({ length: 24 * 500 * 2 }, (_, i) => at(500 * 24 - i / 2, i))
  const kept = thinHistory([...hourly, at(-5, 1)], NOW)
  expect(kept.length).toBeLessThan(455)
  expect(kept.at(-1)).toEqual(at(0.5, 23_999))
  expect(kept.at(-2)).toEqual(at(1, 23_998))
  expect(Date.parse(kept[0]?.time ?? '')).toBeGreaterThan(NOW.getTime() - 401 * 24 * HOUR_MS)
  expect(thinHistory(kept, NOW)).toEqual(kept)
})

test('what is recorded is read again; a file that is damaged begins again', async () => {
  await recordSinkHistory(directory, [], at(2, 1))
  await recordSinkHistory(directory, await readSinkHistory(directory), at(0, 2))
  expect(await readSinkHistory(directory)).toEqual([at(2, 1), at(0, 2)])
  writeFileSync(join(directory, 'sink-history.json'), '[{"time":1},')
  expect(await readSinkHistory(directory)).toEqual([])
})

test('before the first sample of a sink its size is what the sink says of its objects', () => {
  const day = (days: number, bytes: number) => ({
    time: new Date(NOW.getTime() - days * 24 * HOUR_MS),
    bytes,
  })
  const sinks = [sink('disk', { growth: [day(3, 10), day(2, 20), day(0, 100)] }), sink('__proto__')]
  expect(historyOf(sinks, [at(24, 70), at(0, 100)])).toEqual([
    {
      name: 'disk',
      sizes: [day(3, 10), day(2, 20), day(1, 70), day(0, 100)],
      lags: [
        { time: day(1, 0).time, lagMs: 0 },
        { time: NOW, lagMs: 0 },
      ],
    },
    { name: '__proto__', sizes: [], lags: [] },
  ])
})

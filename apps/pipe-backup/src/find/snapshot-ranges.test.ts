import type { SnapshotInfo } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { snapshotRanges } from './snapshot-ranges.ts'

function snapshot(id: string, hostId = 'h', name = 'wallet'): SnapshotInfo {
  const source = { name, state: 'ok', root: 'ab', entries: 1, bytes: 1, problems: 0 } as const
  const time = '2026-11-23T10:00:00.000Z'
  const head = {
    version: 1 as const,
    id,
    time,
    host: hostId,
    hostId,
    program: 'test',
    sources: [source],
    packs: [],
  }
  const [key, at] = [`snapshots/${id}`, new Date(time)]
  return { id, key, time: at, host: hostId, hostId, sources: [source], storedAt: at, sinks: [], head }
}

const ids = (all: readonly SnapshotInfo[], some: readonly SnapshotInfo[]) =>
  snapshotRanges('wallet', all, some).map(({ first, last, count }) => `${first.id}-${last.id} ${count}`)

test('snapshots that follow one another are one range, a gap makes two', () => {
  const all = ['1', '2', '3', '4', '5'].map((id) => snapshot(id))
  expect(ids(all, all)).toEqual(['1-5 5'])
  expect(ids(all, all.toSpliced(2, 1))).toEqual(['1-2 2', '4-5 2'])
  expect(ids(all, [])).toEqual([])
})

test('snapshots of other hosts and of other sources are no gap', () => {
  const all = [snapshot('1'), snapshot('2', 'other'), snapshot('3', 'h', 'database'), snapshot('4')]
  expect(
    ids(
      all,
      all.filter(({ id }) => id === '1' || id === '4'),
    ),
  ).toEqual(['1-4 2'])
  expect(
    ids(
      all,
      all.filter(({ id }) => id !== '3'),
    ),
  ).toEqual(['1-4 2', '2-2 1'])
})

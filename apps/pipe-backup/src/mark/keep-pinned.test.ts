import type { SnapshotInfo } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { keepPinned } from './keep-pinned.ts'

function snapshotOf(id: string, marks: Partial<NonNullable<SnapshotInfo['marks']>> = {}): SnapshotInfo {
  return { id, marks: { pinned: false, tags: [], isUnclear: false, ...marks } } as unknown as SnapshotInfo
}

const RETENTION = { kept: new Map([['c', ['last']]]), removed: ['a', 'b', 'd'] }

test('what is pinned stays beside what the policy keeps, and says why', () => {
  const snapshots = [
    snapshotOf('a', { pinned: true }),
    snapshotOf('b', { tags: ['t'] }),
    snapshotOf('c', { pinned: true }),
    snapshotOf('d', { isUnclear: true }),
  ]
  expect(keepPinned(RETENTION, snapshots)).toEqual({
    kept: new Map([
      ['c', ['last', 'pinned']],
      ['a', ['pinned']],
      ['d', ['a damaged mark, perhaps a pin']],
    ]),
    removed: ['b'],
  })
})

test('where nothing is pinned the policy is all', () => {
  expect(keepPinned(RETENTION, [snapshotOf('a')])).toBe(RETENTION)
})

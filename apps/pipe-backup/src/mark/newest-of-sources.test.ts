import type { SnapshotInfo } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { newestOfSources } from './newest-of-sources.ts'

function snapshotOf(id: string, hostId: string, states: Record<string, string>): SnapshotInfo {
  const sources = Object.entries(states).map(([name, state]) => ({ name, state }))
  return { id, host: hostId, hostId, sources } as unknown as SnapshotInfo
}

test('of every source of every host the newest complete reading counts, and a part where nothing is complete', () => {
  const found = newestOfSources([
    snapshotOf('1', 'a', { tree: 'ok', words: 'incomplete' }),
    snapshotOf('2', 'a', { tree: 'ok', words: 'failed' }),
    snapshotOf('3', 'a', { tree: 'incomplete' }),
    snapshotOf('4', 'b', { tree: 'ok', dump: 'failed' }),
  ])
  expect(found).toEqual([
    { source: 'tree', host: 'a', id: '2' },
    { source: 'words', host: 'a', id: '1' },
    { source: 'tree', host: 'b', id: '4' },
  ])
})

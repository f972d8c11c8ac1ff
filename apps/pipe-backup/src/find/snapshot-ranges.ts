import type { SnapshotInfo } from '@pipe-backup/vault'

/** Snapshots of one host that follow one another. */
export interface SnapshotRange {
  readonly first: SnapshotInfo
  readonly last: SnapshotInfo
  readonly count: number
}

/**
 * Puts snapshots together that follow one another among those of their host that have the source: hundreds of them are a line or two.
 * @param all - oldest first @param some - of these, in the same order
 */
export function snapshotRanges(
  source: string,
  all: readonly SnapshotInfo[],
  some: readonly SnapshotInfo[],
): readonly SnapshotRange[] {
  const wanted = new Set(some)
  const open = new Map<string, SnapshotRange>()
  const ranges: SnapshotRange[] = []
  const close = (hostId: string): void => {
    const range = open.get(hostId)
    if (range) ranges.push(range)
    open.delete(hostId)
  }
  for (const snapshot of all) {
    const { hostId, head } = snapshot
    if (!head.sources.some(({ name, root }) => name === source && root !== undefined)) continue
    const range = open.get(hostId)
    if (!wanted.has(snapshot)) close(hostId)
    else open.set(hostId, { first: range?.first ?? snapshot, last: snapshot, count: (range?.count ?? 0) + 1 })
  }
  ranges.push(...open.values())
  return ranges.sort((a, b) => all.indexOf(a.first) - all.indexOf(b.first))
}

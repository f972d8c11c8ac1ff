import { type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { SinkView } from '../store/sink-view.ts'

/** A sink that is pruned: what it holds, and its snapshots as it has them. */
export interface PruneSink {
  view: SinkView
  readonly heads: Map<string, SnapshotHead>
}

/** Bytes of all that a sink holds. */
export function totalBytes({ packs, indexes, grants, snapshots, trash }: SinkView): number {
  let bytes = 0
  for (const objects of [packs, indexes, grants, snapshots, trash])
    for (const { sizeBytes } of objects.values()) bytes += sizeBytes
  return bytes
}

/**
 * Packs that must stay on a sink: for the snapshots that it shows, as it has them, and for those that only others show, which a
 * healing will bring.
 * @param gone - ids of snapshots that are removed
 */
export function neededPacks(
  own: PruneSink,
  sinks: readonly PruneSink[],
  gone: ReadonlySet<string>,
): Set<string> {
  const needed = new Set<string>()
  const add = (heads: ReadonlyMap<string, SnapshotHead>, isWanted: (key: string) => boolean) => {
    for (const [key, { packs }] of heads) {
      if (gone.has(snapshotIdOf(key) ?? '') || !isWanted(key)) continue
      for (const [name] of packs) needed.add(name)
    }
  }
  add(own.heads, () => true)
  for (const other of sinks) if (other !== own) add(other.heads, (key) => !own.heads.has(key))
  return needed
}

import { packKey } from '../format/pack-format.ts'
import { type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { Replica } from '../store/replica.ts'

/**
 * Packs that must stay on a sink: for the snapshots that it shows, as it has them, and for what a healing will bring: those that only others
 * show, and those that lack a pack as it has them, as others have them, which a compaction may have written again.
 * @param gone - ids of snapshots that are removed
 */
export function neededPacks(
  own: Replica,
  replicas: readonly Replica[],
  gone: ReadonlySet<string>,
): Set<string> {
  const needed = new Set<string>()
  const add = (heads: ReadonlyMap<string, SnapshotHead>, isWanted: (key: string) => boolean) => {
    for (const [key, { packs }] of heads) {
      if (gone.has(snapshotIdOf(key) ?? '') || !isWanted(key)) continue
      for (const [name] of packs) needed.add(name)
    }
  }
  const isWhole = (key: string): boolean =>
    own.heads.get(key)?.packs.every(([name]) => own.has(packKey(name))) ?? false
  add(own.heads, () => true)
  for (const other of replicas) if (other !== own) add(other.heads, (key) => !isWhole(key))
  return needed
}

import { type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { Replica } from '../store/replica.ts'

/**
 * Packs that must stay on a sink: for the snapshots that it shows, as it has them, and for those that only others show, which a
 * healing will bring.
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
  add(own.heads, () => true)
  for (const other of replicas) if (other !== own) add(other.heads, (key) => !own.heads.has(key))
  return needed
}

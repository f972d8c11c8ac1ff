import { packKey, packNameOf } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { shownSnapshots } from '../store/listing.ts'
import type { Replica } from '../store/replica.ts'
import { isDamagedPack } from './is-damaged-pack.ts'

/**
 * Keys of packs on a sink that are known to be damaged, that a look at them now finds so too, and that nothing needs. What a snapshot needs that opens
 * nowhere is not known: as long as any such is shown, no pack is useless.
 * @param removed - ids of the snapshots that a prune has removed
 * @throws SinkError; the abort's reason
 */
export async function uselessPacks(
  replica: Replica,
  replicas: readonly Replica[],
  removed: ReadonlySet<string>,
): Promise<string[]> {
  const { name, context } = replica
  const known = [...(context.book?.of(name).keys() ?? [])].flatMap((key) => packNameOf(key) ?? [])
  const candidates = known.filter((pack) => !replica.has(packKey(pack)))
  if (candidates.length === 0) return []
  const needed = new Set<string>()
  for (const other of replicas) {
    const unread = [...other.listing.snapshots.keys()].filter((key) => !other.heads.has(key))
    await other.attempt(() => other.readHeads(unread))
    if (other.error) return []
    for (const pack of other.neededPacks().keys()) needed.add(pack)
  }
  const isOpen = (key: string): boolean =>
    removed.has(snapshotIdOf(key) ?? '') || replicas.some(({ heads }) => heads.has(key))
  if (!replicas.every(({ listing }) => shownSnapshots(listing).every(isOpen))) return []
  const useless: string[] = []
  for (const pack of candidates)
    if (!needed.has(pack) && (await isDamagedPack(replica, pack))) useless.push(packKey(pack))
  return useless
}

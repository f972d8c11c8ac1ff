import { forEachLimited } from '../for-each-limited.ts'
import { type IndexedPack, openIndex } from '../format/index-object.ts'
import { decodeFooterContent } from '../format/pack-format.ts'
import { checkGrant } from '../store/grant.ts'
import type { Replica } from '../store/replica.ts'

const INDEXES_AT_ONCE = 4

/**
 * Opens all that a sink holds besides packs: trash, snapshots and marks, which are then its `heads` and `marks`, indexes and grants.
 * @param onIndex - called with each index that opens, and what it lists
 * @throws SinkError; VaultError `unsupported-version`
 */
export async function checkSmallObjects(
  replica: Replica,
  onIndex: (key: string, packs: readonly IndexedPack[]) => void,
): Promise<void> {
  const { listing } = replica
  const { keys } = replica.context
  for (const [key, { message }] of listing.badTrash) replica.found(key, 'corrupt', message)
  for (const key of listing.truncated)
    replica.found(key, 'corrupt', `${key} is cut short: it has next to no bytes`)
  await replica.readHeads()
  await replica.readMarks()
  for (const key of [...replica.heads.keys(), ...replica.marks.keys()]) replica.proven(key)
  await forEachLimited([...listing.indexes.keys()], INDEXES_AT_ONCE, async (key) => {
    const packs = await replica.read(key, (object) => {
      const listed = openIndex(keys, key, object)
      for (const { footer } of listed) decodeFooterContent(footer)
      return listed
    })
    if (!packs) return
    replica.proven(key)
    onIndex(key, packs)
  })
  for (const key of listing.grants.keys())
    if (await replica.read(key, (object) => checkGrant(keys, key, object))) replica.proven(key)
}

import { packKey } from '../format/pack-format.ts'
import { newTrashKey, sealTrash, type Trash } from '../format/trash-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import type { Replica } from '../store/replica.ts'
import { isDamagedPack } from './is-damaged-pack.ts'

/**
 * What another host's healing has found damaged on every sink counts as absent, if a look at it now finds so too.
 * @throws SinkError; the abort's reason
 */
export async function excludeNoticedDamage(replica: Replica): Promise<void> {
  for (const name of replica.listing.unrecoverable) {
    const key = packKey(name)
    if (replica.has(key) && (await isDamagedPack(replica, name)))
      replica.found(key, 'corrupt', `${key} is damaged`)
  }
}

/**
 * Says on a sink which of its packs are needed, and unrecoverable: a host that has still got what is in them stores it again with its next run,
 * though it has never looked at them itself. What was said before is taken back when it holds of none of the packs that it names.
 * @param lost - names of the packs that no sink has whole, and that snapshots need
 * @throws SinkError; the abort's reason
 */
export async function noteDamage(replica: Replica, lost: readonly string[], host: VaultHost): Promise<void> {
  const { listing, context, sink } = replica
  const damaged = lost
    .filter((name) => listing.shows(packKey(name)) && !listing.unrecoverable.has(name))
    .sort()
  if (damaged.length > 0) {
    const time = context.now()
    const key = newTrashKey(time)
    const notice = { packs: [], snapshots: [], sessions: undefined, damaged }
    await replica.put(key, sealTrash(host, key, time, notice))
  }
  if (sink.appendOnly) return
  const isOver = ({ damaged: said }: Trash): boolean => said?.every((name) => !lost.includes(name)) ?? false
  const over = [...listing.trash].flatMap(([key, trash]) => (isOver(trash) ? [key] : []))
  // Packs that are whole are stored once more: that costs their room, and no more.
  for (const error of (await replica.remove(over)).values()) if (error.code !== 'forbidden') throw error
}

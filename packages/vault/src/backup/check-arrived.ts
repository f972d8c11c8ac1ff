import type { ObjectInfo } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import { listObjects } from '../store/read-sink.ts'
import type { Replica } from '../store/replica.ts'
import { VaultError } from '../vault-error.ts'

/** Up to so many packs are asked for one by one; more are listed. */
const ASKED = 16
const AT_ONCE = 8

/**
 * Looks at what was sent to a sink once more, before a snapshot rests on it: each pack is there, has its length, and, where the
 * provider says what it holds, its SHA-256. Every put was validated when it was made; this is against a store that loses what it has acknowledged.
 * @param sent - names and lengths, in bytes
 * @throws VaultError `missing`, `corrupt`, where any is not as it was sent; SinkError
 */
export async function checkArrived(replica: Replica, sent: ReadonlyMap<string, number>): Promise<void> {
  const { sink, context } = replica
  const { signal } = context
  const found = new Map<string, ObjectInfo>()
  if (sent.size > ASKED) {
    for await (const info of listObjects(sink, 'packs/', signal))
      if (sent.has(packNameOf(info.key) ?? '')) found.set(info.key, info)
  } else {
    await forEachLimited(sent.keys(), AT_ONCE, async (name) => {
      const info = await sink.head(packKey(name), { signal })
      if (info) found.set(info.key, info)
    })
  }
  let bad: VaultError | undefined
  for (const [name, sizeBytes] of sent) {
    const key = packKey(name)
    const info = found.get(key)
    const isWhole = info?.sizeBytes === sizeBytes && (info.sha256 ?? name) === name
    if (isWhole) continue
    const why = info ? 'corrupt' : 'missing'
    const what = info ? 'is not as it was sent' : 'was acknowledged, and is not there'
    replica.found(key, why, `${key} ${what}`)
    bad ??= new VaultError(why, `sink "${sink.name}": it does not keep what it acknowledges`, {
      sink: sink.name,
      key,
      hint: 'The next run, or `pipe-backup heal`, sends it again. Look at that sink: it loses data.',
    })
  }
  if (bad) throw bad
}

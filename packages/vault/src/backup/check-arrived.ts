import type { ObjectInfo, Sink } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import { listObjects } from '../store/read-sink.ts'
import { VaultError } from '../vault-error.ts'

/** Up to so many packs are asked for one by one; more are listed. */
const ASKED = 16
const AT_ONCE = 4

export interface CheckArrivedOptions {
  readonly signal?: AbortSignal | undefined
  /** Called with each pack that is not as it was sent. */
  readonly onBad: (name: string, why: 'missing' | 'corrupt') => void
}

/**
 * Looks at what was sent to a sink once more, before a snapshot rests on it: each pack is there, has its length, and, where the
 * provider says what it holds, its SHA-256. Every put was validated when it was made; this is against a store that loses what it has acknowledged.
 * @param sent - names and lengths, in bytes
 * @throws VaultError `missing`, `corrupt`, of the first that is not as it was sent; SinkError
 */
export async function checkArrived(
  sink: Sink,
  sent: ReadonlyMap<string, number>,
  { signal, onBad }: CheckArrivedOptions,
): Promise<void> {
  const options = { signal }
  const found = new Map<string, ObjectInfo>()
  if (sent.size > ASKED) {
    for await (const info of listObjects(sink, 'packs/', signal))
      if (sent.has(packNameOf(info.key) ?? '')) found.set(info.key, info)
  } else {
    await forEachLimited(sent.keys(), AT_ONCE, async (name) => {
      const info = await sink.head(packKey(name), options)
      if (info) found.set(info.key, info)
    })
  }
  let first: VaultError | undefined
  for (const [name, sizeBytes] of sent) {
    const key = packKey(name)
    const info = found.get(key)
    const isWhole = info?.sizeBytes === sizeBytes && (info.sha256 ?? name) === name
    if (isWhole) continue
    const why = info ? 'corrupt' : 'missing'
    onBad(name, why)
    const what = info ? 'is not as it was sent' : 'was acknowledged, and is not there'
    first ??= new VaultError(why, `sink "${sink.name}": ${key} ${what}`, {
      sink: sink.name,
      key,
      hint: 'The next run, or `pipe-backup heal`, sends it again. Look at that sink: it loses data.',
    })
  }
  if (first) throw first
}

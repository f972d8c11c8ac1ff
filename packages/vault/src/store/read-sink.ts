import { type ObjectInfo, type Sink, SinkError } from '@pipe-backup/sink'
import PQueue from 'p-queue'
import { packNameOf } from '../format/pack-format.ts'
import { revokedHostOf } from '../format/revocation.ts'
import { MAX_SEALED_BYTES } from '../format/sealed-object.ts'
import { hasCode } from '../has-code.ts'

/** How long a pack can be. */
export const MAX_PACK_BYTES: number = 128 * 1024 * 1024
/** How long an object can be, by the first part of its key (docs/format.md section 11). */
const MAX_BYTES = new Map([
  ['vault.json', 64 * 1024],
  ['sessions', 64 * 1024],
  ['grants', 64 * 1024],
  ['marks', 64 * 1024],
  ['packs', MAX_PACK_BYTES],
])
const LARGE_BYTES = 8 * 1024 * 1024
const large = new PQueue({ concurrency: 1 })
/** Packs of 32 TiB, which is far beyond what one vault is for. */
const MAX_LISTED = 2 ** 22

/**
 * Reads an object whole. One that is longer than it can be is damaged: no sink makes this program take memory for it.
 * @throws SinkError `not-found`, `corrupt`
 */
export function getObject(sink: Sink, key: string, signal?: AbortSignal): Promise<Uint8Array> {
  const isRevocation = revokedHostOf(key) !== undefined
  const maxBytes = (!isRevocation && MAX_BYTES.get(key.split('/', 1)[0] ?? '')) || MAX_SEALED_BYTES
  return maxBytes > LARGE_BYTES && packNameOf(key) === undefined
    ? getLarge(sink, key, maxBytes, signal)
    : sink.get(key, { maxBytes, signal })
}

/** Larger objects of a kind that is small in most vaults are read one after the other: several sinks with many of them are no more than one is. */
async function getLarge(
  sink: Sink,
  key: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    return await sink.get(key, { maxBytes: LARGE_BYTES, signal })
  } catch (error) {
    if (!hasCode(error, 'corrupt')) throw error
    return await large.add(() => sink.get(key, { maxBytes, signal }))
  }
}

/** Lists what is below a prefix, and not for ever. @throws SinkError `protocol` for a listing that has no end */
export async function* listObjects(
  sink: Sink,
  prefix: string,
  signal?: AbortSignal,
  maxListed: number = MAX_LISTED,
): AsyncGenerator<ObjectInfo> {
  let listed = 0
  for await (const info of sink.list(prefix, { signal })) {
    if (++listed > maxListed)
      throw new SinkError('protocol', `${prefix} has more than ${maxListed} objects`, { sink: sink.name })
    yield info
  }
}

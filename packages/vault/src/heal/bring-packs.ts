import { forEachLimited } from '../for-each-limited.ts'
import { packKey } from '../format/pack-format.ts'
import { type FetchPackOptions, fetchPack } from '../store/fetch-pack.ts'
import { putRepaired } from '../store/put-repaired.ts'
import type { SinkView } from '../store/sink-view.ts'
import { VaultError } from '../vault-error.ts'

const PACKS_AT_ONCE = 2

export interface BringPacksOptions extends FetchPackOptions {
  /** Packs that the sink must hold. */
  readonly needed: ReadonlySet<string>
  /** Packs that it holds too, as far as any sink has them whole. */
  readonly wanted: ReadonlySet<string>
  /** What verifications have found damaged there, by key. */
  readonly damaged: ReadonlyMap<string, unknown>
}

/**
 * Copies to one sink, through memory, the packs it lacks, from whichever sinks have them whole.
 * @returns the packs that were copied, and their lengths in bytes
 * @throws SinkError of the sink that is healed; VaultError `missing` when no sink has a needed pack whole, `unanswered` when one that does
 * not answer may have it
 */
export async function bringPacks(
  view: SinkView,
  views: readonly SinkView[],
  options: BringPacksOptions,
): Promise<ReadonlyMap<string, number>> {
  const { needed, wanted, damaged, signal } = options
  const missing = [...new Set([...needed, ...wanted])].filter((name) => !view.packs.has(name))
  const brought = new Map<string, number>()
  let lost: VaultError | undefined
  await forEachLimited(missing, PACKS_AT_ONCE, async (name) => {
    const key = packKey(name)
    const pack = await fetchPack(name, views, options)
    if (typeof pack === 'string') {
      if (needed.has(name) && (!lost || pack === 'lost')) lost = notBrought(key, pack)
      return
    }
    const reading = { signal }
    if (damaged.has(key)) await putRepaired(view.sink, key, pack, reading)
    else await view.sink.put(key, pack, reading)
    view.packs.set(name, { sizeBytes: pack.length, storedAt: new Date() })
    brought.set(name, pack.length)
  })
  // Not before all have been asked for: whoever is reported must know of every one that nothing can rest on.
  if (lost) throw lost
  return brought
}

function notBrought(key: string, why: 'lost' | 'unanswered'): VaultError {
  if (why === 'lost') return new VaultError('missing', `${key} is intact on no sink`, { key })
  return new VaultError('unanswered', `${key} could not be read: a sink that shows it does not answer`, {
    key,
  })
}

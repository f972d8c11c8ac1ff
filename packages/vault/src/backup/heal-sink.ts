import { createHash } from 'node:crypto'
import { packKey } from '../pack-format.ts'
import { VaultError } from '../vault-error.ts'
import type { SinkView } from './sink-view.ts'

const PACKS_AT_ONCE = 2

export interface HealOptions {
  /** Packs that the sink must hold. */
  readonly needed: ReadonlySet<string>
  /** Packs that it holds too, as far as any sink has them whole. */
  readonly wanted: ReadonlySet<string>
  readonly onProblem: (sink: string, error: Error) => void
  readonly signal?: AbortSignal
}

/**
 * Copies to one sink, through memory, the packs it lacks, from whichever sinks have them whole.
 * @returns how many were copied, and their bytes
 * @throws SinkError of the sink that is healed; VaultError `missing` when no sink has a needed pack whole
 */
export async function healSink(
  view: SinkView,
  others: readonly SinkView[],
  options: HealOptions,
): Promise<{ packs: number; bytes: number }> {
  const { needed, wanted } = options
  const missing = [...new Set([...needed, ...wanted])].filter((name) => !view.packs.has(name))
  let packs = 0
  let bytes = 0
  const next = async (): Promise<void> => {
    for (let name = missing.pop(); name !== undefined; name = missing.pop()) {
      const pack = await fetchWhole(name, others, options)
      if (!pack) {
        if (!needed.has(name)) continue
        const key = packKey(name)
        throw new VaultError('missing', `${key} is whole on no sink`, { key })
      }
      await view.sink.put(packKey(name), pack, { ...(options.signal && { signal: options.signal }) })
      view.packs.set(name, { sizeBytes: pack.length })
      packs++
      bytes += pack.length
    }
  }
  await Promise.all(Array.from({ length: PACKS_AT_ONCE }, next))
  return { packs, bytes }
}

async function fetchWhole(
  name: string,
  views: readonly SinkView[],
  options: HealOptions,
): Promise<Uint8Array | undefined> {
  const key = packKey(name)
  for (const view of views) {
    if (!view.packs.has(name)) continue
    try {
      const pack = await view.sink.get(key, { ...(options.signal && { signal: options.signal }) })
      if (createHash('sha256').update(pack).digest('hex') === name) return pack
      throw new VaultError('corrupt', `sink "${view.sink.name}": ${key} is damaged`, {
        sink: view.sink.name,
        key,
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      view.packs.delete(name)
      options.onProblem(view.sink.name, error instanceof Error ? error : new Error(String(error)))
    }
  }
  return undefined
}

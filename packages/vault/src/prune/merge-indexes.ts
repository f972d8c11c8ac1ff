import { join } from 'node:path'
import { type IndexedPack, sealIndexes } from '../format/index-object.ts'
import { packKey } from '../format/pack-format.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { readIndexes } from '../store/load-index.ts'
import type { Replica } from '../store/replica.ts'

export interface MergeIndexesOptions {
  /** Of the sinks that were pruned, as they are now. */
  readonly replicas: readonly Replica[]
  readonly host: VaultHost
  readonly stateDirectory: string
}

/** So many small ones, at one or two a run, are a day of hourly runs. */
const MAX_SMALL = 24
/** One as long as this is left alone, but for what it lists being gone. */
const SMALL_BYTES = 4 * 1024 * 1024

/**
 * Puts many small index objects into one, without the packs that are gone. An index is a cache of the packs' footers: whoever finds one
 * gone meanwhile reads another, or the footers. Sinks that would not let the old ones go are left as they are.
 */
export async function mergeIndexes(options: MergeIndexesOptions): Promise<void> {
  const { replicas, host, stateDirectory } = options
  if (replicas.some(({ sink }) => sink.appendOnly)) return
  const reading = { replicas, keys: host.keys, cacheDirectory: join(stateDirectory, 'index') }
  const spent: string[] = []
  const listed = new Map<string, IndexedPack>()
  let isWorthIt = false
  let small = 0
  const isThere = ({ name }: IndexedPack) => replicas.some((replica) => replica.has(packKey(name)))
  for await (const { key, sizeBytes, packs } of readIndexes(reading)) {
    // A sink that does not answer may have it whole.
    if (!packs) continue
    const there = packs.filter(isThere)
    const isMostlyGone = there.length * 2 < packs.length
    if (sizeBytes >= SMALL_BYTES && !isMostlyGone) continue
    // One that opens on no sink is of no use to anybody.
    spent.push(key)
    for (const pack of there) listed.set(pack.name, pack)
    if (sizeBytes < SMALL_BYTES) small++
    isWorthIt ||= isMostlyGone || packs.length === 0
  }
  if (spent.length === 0 || !(isWorthIt || small > MAX_SMALL)) return
  const packs = [...listed.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const merged = sealIndexes(host, packs)
  for (const replica of replicas) {
    try {
      for (const { key, object } of merged) await replica.put(key, object)
      const refused = await replica.remove(spent.filter((key) => replica.has(key)))
      for (const error of refused.values()) replica.report(error)
    } catch (error) {
      replica.report(error)
    }
  }
}

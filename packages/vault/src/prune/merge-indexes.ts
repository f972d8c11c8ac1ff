import { join } from 'node:path'
import { toError } from '@pipe-backup/sink'
import { type IndexedPack, sealIndexes } from '../format/index-object.ts'
import { readIndex } from '../store/load-index.ts'
import type { SinkView } from '../store/sink-view.ts'

export interface MergeIndexesOptions {
  /** Of the sinks that were pruned, as they are now. */
  readonly views: readonly SinkView[]
  readonly indexKey: Uint8Array
  readonly stateDirectory: string
  readonly signal?: AbortSignal | undefined
  readonly onProblem: (sink: string, error: Error) => void
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
  const { views, indexKey, stateDirectory, signal, onProblem } = options
  if (views.some(({ sink }) => sink.appendOnly)) return
  const reading = { views, indexKey, cacheDirectory: join(stateDirectory, 'index'), onProblem }
  const keys = new Map(views.flatMap(({ indexes }) => [...indexes]))
  const spent: string[] = []
  const listed = new Map<string, IndexedPack>()
  let isWorthIt = false
  let small = 0
  const isThere = ({ name }: IndexedPack) => views.some((view) => view.packs.has(name))
  for (const [key, { sizeBytes }] of keys) {
    const packs = await readIndex(key, { ...reading, signal })
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
  const merged = sealIndexes(indexKey, packs)
  for (const { sink, indexes } of views) {
    try {
      for (const { key, object } of merged) await sink.put(key, object, { signal })
      const old = spent.filter((name) => indexes.has(name))
      const failed = await sink.deleteMany(old, { signal })
      for (const error of failed.values()) onProblem(sink.name, error)
    } catch (error) {
      signal?.throwIfAborted()
      onProblem(sink.name, toError(error))
    }
  }
}

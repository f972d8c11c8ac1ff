import { toError } from '@pipe-backup/sink'
import { openObject } from '../format/sealed-object.ts'
import { damageOf } from '../store/damage-of.ts'
import { checkGrant } from '../store/grant.ts'
import { getObject } from '../store/read-sink.ts'
import type { SinkView } from '../store/sink-view.ts'
import type { HealTarget } from './heal-target.ts'

interface BringOthersOptions {
  readonly views: readonly SinkView[]
  readonly indexKey: Uint8Array
  readonly now: () => Date
  readonly signal?: AbortSignal | undefined
  readonly onProblem: (sink: string, error: Error) => void
}

/** What other sinks have and this one lacks. Indexes are a cache: without one, footers are read. */
export async function bringOthers(
  target: HealTarget,
  kind: 'grants' | 'indexes',
  options: BringOthersOptions,
): Promise<void> {
  const unanswered = new Set<string>()
  for (const other of options.views) {
    for (const key of other[kind].keys()) {
      if (target.view[kind].has(key)) continue
      const object = await fetchOther(other, kind, key, options)
      if (!object) {
        if (other[kind].has(key)) unanswered.add(key)
        continue
      }
      unanswered.delete(key)
      await target.put(key, object)
      target.view[kind].set(key, { sizeBytes: object.length, storedAt: options.now() })
      target.result.objects++
    }
  }
  target.result.unanswered += unanswered.size
}

async function fetchOther(
  view: SinkView,
  kind: 'grants' | 'indexes',
  key: string,
  { indexKey, signal, onProblem }: BringOthersOptions,
): Promise<Uint8Array | undefined> {
  try {
    const object = await getObject(view.sink, key, signal)
    if (kind === 'grants') checkGrant(key, object)
    else openObject(indexKey, key, object)
    return object
  } catch (error) {
    signal?.throwIfAborted()
    if (damageOf(error) !== undefined) view[kind].delete(key)
    onProblem(view.sink.name, toError(error))
    return undefined
  }
}

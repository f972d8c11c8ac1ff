import { forEachLimited } from '../for-each-limited.ts'
import { openSnapshotHead, type SnapshotHead } from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { getObject } from './read-sink.ts'
import type { SinkView } from './sink-view.ts'

const HEADS_AT_ONCE = 8

export interface ReadHeadsOptions {
  readonly indexKey: Uint8Array
  readonly signal?: AbortSignal | undefined
  /** Called with each snapshot object that does not open. Not of one that is gone meanwhile. */
  readonly onBad: (key: string, error: VaultError) => void
}

/**
 * Opens the snapshots of a sink as this sink has them.
 * @param keys - which; those that it does not show are passed over
 * @returns the heads by key @throws SinkError; VaultError `unsupported-version`: what such a snapshot needs is not known
 */
export async function readHeads(
  view: SinkView,
  keys: Iterable<string>,
  { indexKey, signal, onBad }: ReadHeadsOptions,
): Promise<Map<string, SnapshotHead>> {
  const heads = new Map<string, SnapshotHead>()
  await forEachLimited(keys, HEADS_AT_ONCE, async (key) => {
    if (!view.snapshots.has(key)) return
    try {
      const object = await getObject(view.sink, key, signal)
      heads.set(key, openSnapshotHead(indexKey, key, object))
    } catch (error) {
      if (hasCode(error, 'not-found')) {
        view.snapshots.delete(key)
        return
      }
      if (!hasCode(error, 'corrupt')) throw error
      const why = error instanceof Error ? error.message : String(error)
      const { name } = view.sink
      onBad(key, new VaultError('corrupt', `sink "${name}": ${why}`, { sink: name, key, cause: error }))
    }
  })
  return heads
}

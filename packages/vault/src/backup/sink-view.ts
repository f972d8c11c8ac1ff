import type { Sink } from '@pipe-backup/sink'
import { packNameOf } from '../pack-format.ts'
import { openObject } from '../sealed-object.ts'
import { snapshotIdOf } from '../snapshot-object.ts'
import { requireVault } from '../vault-header.ts'

export interface StoredPack {
  readonly sizeBytes: number
}

/** What a sink holds, as far as a run needs to know. */
export interface SinkView {
  readonly sink: Sink
  /** Size in bytes by name. Empty and hopelessly short objects count as absent. */
  readonly packs: Map<string, StoredPack>
  readonly indexes: Set<string>
  readonly snapshots: Set<string>
  /** Packs that a prune has condemned: nothing new may rest on them. */
  readonly condemned: Set<string>
}

const LEAST_PACK_BYTES = 100

/**
 * Lists a sink. Snapshots first, packs last: what a snapshot needs was there before it.
 * @throws SinkError; VaultError `not-a-vault` when the sink holds another vault or none
 */
export async function viewSink(
  sink: Sink,
  vaultId: string,
  indexKey: Uint8Array,
  signal?: AbortSignal,
): Promise<SinkView> {
  const options = { ...(signal && { signal }) }
  await requireVault(sink, vaultId, signal)
  const view: SinkView = {
    sink,
    packs: new Map(),
    indexes: new Set(),
    snapshots: new Set(),
    condemned: new Set(),
  }
  for await (const { key } of sink.list('snapshots/', options)) if (snapshotIdOf(key)) view.snapshots.add(key)
  for await (const { key, sizeBytes } of sink.list('index/', options))
    if (sizeBytes > 0) view.indexes.add(key)
  for await (const { key } of sink.list('trash/', options)) {
    for (const name of condemnedBy(openObject(indexKey, key, await sink.get(key, options))))
      view.condemned.add(name)
  }
  for await (const { key, sizeBytes } of sink.list('packs/', options)) {
    const name = packNameOf(key)
    if (name && sizeBytes >= LEAST_PACK_BYTES) view.packs.set(name, { sizeBytes })
  }
  return view
}

function condemnedBy(content: Buffer): string[] {
  const trash: unknown = JSON.parse(content.toString())
  const packs = typeof trash === 'object' && trash !== null && 'packs' in trash ? trash.packs : []
  return Array.isArray(packs) ? packs.filter((name: unknown): name is string => typeof name === 'string') : []
}

import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { openSnapshotHead } from '../format/snapshot-object.ts'
import { getObject } from '../store/read-sink.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { locateChunks, relocateChunks } from './chunk-locations.ts'
import { ChunkReader } from './chunk-reader.ts'

export interface OpenSnapshotsOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  readonly snapshots: readonly SnapshotInfo[]
  readonly signal?: AbortSignal | undefined
  /** Called with each object that was missing or damaged on a sink; reading goes on from another. */
  readonly onProblem?: ((error: Error) => void) | undefined
  /** How long a sink may give less than 1 kB a second of what another may have, in milliseconds: then it is asked last. Default a minute. */
  readonly slowAfterMs?: number | undefined
}

/** Reads the chunks of these snapshots. */
export async function openChunks(options: OpenSnapshotsOptions): Promise<ChunkReader> {
  const { sinks, keys, snapshots, slowAfterMs, signal } = options
  const onProblem = options.onProblem ?? (() => undefined)
  const packs = new Set(snapshots.flatMap(({ head }) => head.packs.map(([name]) => name)))
  const reading = { sinks, onProblem, signal }
  const locations = await locateChunks({ ...reading, keys, packs })
  const locateMore = async () => {
    const others = new Set([...(await packsOnAnySink(options))].filter((name) => !packs.has(name)))
    const more = await locateChunks({ ...reading, keys, packs: others })
    for (const { name, footer } of more.packs()) locations.add(name, footer)
  }
  const locateAgain = () => relocateChunks(locations, { ...reading, keys, packs })
  return await ChunkReader.open({ ...reading, keys, locations, locateMore, locateAgain, slowAfterMs })
}

/** The packs of the snapshots as each sink has them: where a compaction did not come they are other ones, with the same chunks. */
async function packsOnAnySink(options: OpenSnapshotsOptions): Promise<Set<string>> {
  const { sinks, keys, snapshots, signal } = options
  const packs = new Set<string>()
  for (const { key } of snapshots) {
    for (const sink of sinks) {
      try {
        const object = await getObject(sink, key, signal)
        for (const [name] of openSnapshotHead(keys, key, object).packs) packs.add(name)
      } catch {
        signal?.throwIfAborted()
        // It lacks the snapshot, or is away: that has been reported where it matters.
      }
    }
  }
  return packs
}

import { type IndexedPack, sealIndexes } from '../format/index-object.ts'
import { type PackFooter, packKey } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { hasCode } from '../has-code.ts'
import { fetchPack } from '../store/fetch-pack.ts'
import { firstStoredOf, type Moves, moveHeads, type NewLocation, usedChunks } from '../store/move-heads.ts'
import { readFooters } from '../store/read-footers.ts'
import type { Replica } from '../store/replica.ts'
import { chooseForCompaction, type PackUse } from './choose-for-compaction.ts'
import { type MovedPack, Repacker } from './repacker.ts'
import type { PruneReport } from './report.ts'

export interface CompactOptions {
  /** Of the sinks that are pruned. */
  readonly replicas: readonly Replica[]
  /** Ids of snapshots that go. */
  readonly gone: ReadonlySet<string>
  readonly host: VaultHost
  readonly stateDirectory: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Moves sealed chunks that are live out of packs that are mostly dead, and puts small packs together, without opening a chunk. The new
 * packs are on every sink before any snapshot there names them; the old ones are then needed by nothing, and the prune that goes on
 * condemns them. A snapshot keeps its key: it is replaced, whole, by one that says the same of other packs.
 */
export async function compact(options: CompactOptions): Promise<PruneReport['compacted']> {
  // Where nothing can be deleted there is nothing to be gained.
  const able = new Set(options.replicas.filter(({ sink }) => !sink.appendOnly))
  const footers = await readFooters(options.replicas, options)
  const live = liveChunks(options)
  const chosen = chooseForCompaction(packUses(options, footers, live))
  const moves: Moves = new Map()
  const listed: IndexedPack[] = []
  let bytes = 0
  const store = async (pack: MovedPack): Promise<void> => {
    await onAll(able, (replica) => replica.put(packKey(pack.name), pack.bytes))
    for (const [position, { from, index }] of pack.origins.entries()) {
      const moved = moves.get(from) ?? new Map<number, NewLocation>()
      moved.set(index, { pack: pack.name, position })
      moves.set(from, moved)
    }
    listed.push({ name: pack.name, sizeBytes: pack.bytes.length, footer: pack.footer })
    bytes += pack.bytes.length
  }
  for (const group of chosen) {
    const repacker = new Repacker(options.host, group.hostId, group.kind)
    for (const name of group.names) {
      const pack = await fetchPack(name, options.replicas)
      const footer = footers.get(name)
      // Intact on no sink: that is for a healing.
      if (typeof pack === 'string' || !footer) continue
      try {
        for (const full of repacker.add(name, pack, live.get(name) ?? new Set())) await store(full)
      } catch (error) {
        // What counts is the pack's own footer, whatever an index says of it.
        if (!hasCode(error, 'corrupt')) throw error
        for (const replica of options.replicas) if (replica.has(packKey(name))) replica.report(error)
      }
    }
    const last = repacker.finish()
    if (last) await store(last)
  }
  if (listed.length === 0) return { from: 0, into: 0, bytes: 0 }
  await putIndexes(options, able, listed)
  const firstStored = firstStoredOf(options.replicas)
  const isMoved = (key: string): boolean => !isGone(options, key)
  await onAll(able, async (replica) => {
    const put = async (key: string, object: Uint8Array): Promise<boolean> => {
      await replica.put(key, object)
      return true
    }
    await moveHeads(replica, { moves, firstStored, host: options.host, put, isMoved })
  })
  return { from: moves.size, into: listed.length, bytes }
}

function isGone({ gone }: CompactOptions, key: string): boolean {
  return gone.has(snapshotIdOf(key) ?? '')
}

/** Which chunks of which packs are live in any snapshot that stays. */
function liveChunks(options: CompactOptions): Map<string, Set<number>> {
  const live = new Map<string, Set<number>>()
  for (const { heads } of options.replicas) {
    for (const [key, { packs }] of heads) {
      if (isGone(options, key)) continue
      for (const [name, bitmap] of packs) {
        const chunks = live.get(name) ?? new Set<number>()
        live.set(name, chunks)
        for (const index of usedChunks(bitmap)) chunks.add(index)
      }
    }
  }
  return live
}

function packUses(
  { replicas }: CompactOptions,
  footers: ReadonlyMap<string, PackFooter>,
  live: ReadonlyMap<string, ReadonlySet<number>>,
): PackUse[] {
  const uses: PackUse[] = []
  for (const [name, chunks] of live) {
    const footer = footers.get(name)
    const holders = replicas.filter((replica) => replica.has(packKey(name)))
    const sizeBytes = holders[0]?.listing.packs.get(name)?.sizeBytes
    if (!footer || sizeBytes === undefined) continue
    // A backup that goes on does not count on it any more, and a prune is to delete it: it must not be moved behind their backs.
    if (!holders.every(({ listing }) => listing.isReliable(name))) continue
    let [liveBytes, chunkBytes] = [0, 0]
    for (const { length } of footer.chunks) chunkBytes += length
    for (const i of chunks) liveBytes += footer.chunks[i]?.length ?? 0
    const kind = footer.chunks[0]?.kind ?? 0
    uses.push({
      name,
      sizeBytes,
      chunkBytes,
      liveBytes,
      kind,
      hostId: Buffer.from(footer.hostId).toString('hex'),
    })
  }
  return uses
}

async function putIndexes(
  options: CompactOptions,
  able: Set<Replica>,
  packs: readonly IndexedPack[],
): Promise<void> {
  for (const { key, object } of sealIndexes(options.host, packs)) {
    await onAll(able, (replica) => replica.put(key, object))
  }
}

/** Does something on each sink; one that fails is left as it is, and out of what follows. */
async function onAll(able: Set<Replica>, work: (replica: Replica) => Promise<void>): Promise<void> {
  await Promise.all(
    [...able].map(async (replica) => {
      try {
        await work(replica)
      } catch (error) {
        replica.report(error)
        able.delete(replica)
      }
    }),
  )
}

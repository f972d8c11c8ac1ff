import { join } from 'node:path'
import { type IndexedPack, sealIndexes } from '../format/index-object.ts'
import { decodeFooterContent, type PackFooter, packKey } from '../format/pack-format.ts'
import { type SnapshotHead, sealSnapshot, snapshotIdOf } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { hasCode } from '../has-code.ts'
import { fetchPack } from '../store/fetch-pack.ts'
import { readIndex } from '../store/load-index.ts'
import { readPackFooter } from '../store/read-pack-footer.ts'
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

/** Where the live chunks of a pack went: by its name, for each of its chunks the new pack and its number in it. */
type Moves = Map<string, Map<number, NewLocation>>

interface NewLocation {
  readonly pack: string
  readonly position: number
}

/**
 * Moves sealed chunks that are live out of packs that are mostly dead, and puts small packs together, without opening a chunk. The new
 * packs are on every sink before any snapshot there names them; the old ones are then needed by nothing, and the prune that goes on
 * condemns them. A snapshot keeps its key: it is replaced, whole, by one that says the same of other packs.
 */
export async function compact(options: CompactOptions): Promise<PruneReport['compacted']> {
  // Where nothing can be deleted there is nothing to be gained.
  const able = new Set(options.replicas.filter(({ sink }) => !sink.appendOnly))
  const footers = await readFooters(options)
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
  await onAll(able, (replica) => rewriteHeads(replica, moves, firstStored, options))
  return { from: moves.size, into: listed.length, bytes }
}

/** The contents of the footers of all packs, by name, from the index objects, or else from the packs. */
async function readFooters(options: CompactOptions): Promise<Map<string, PackFooter>> {
  const { replicas, host, stateDirectory, signal } = options
  const { keys } = host
  const reading = { replicas, keys, cacheDirectory: join(stateDirectory, 'index') }
  const footers = new Map<string, PackFooter>()
  for (const key of new Set(replicas.flatMap(({ listing }) => [...listing.indexes.keys()]))) {
    for (const { name, footer } of (await readIndex(key, reading)) ?? [])
      if (!footers.has(name)) footers.set(name, decodeFooterContent(footer))
  }
  for (const replica of replicas) {
    for (const [name, { sizeBytes }] of replica.listing.packs) {
      if (footers.has(name)) continue
      try {
        const content = await readPackFooter(replica.sink, name, sizeBytes, keys, signal)
        footers.set(name, decodeFooterContent(content))
      } catch (error) {
        replica.report(error)
      }
    }
  }
  return footers
}

/** Which chunks of which packs are live in any snapshot that stays. */
function liveChunks({ replicas, gone }: CompactOptions): Map<string, Set<number>> {
  const live = new Map<string, Set<number>>()
  for (const { heads } of replicas) {
    for (const [key, { packs }] of heads) {
      if (gone.has(snapshotIdOf(key) ?? '')) continue
      for (const [name, bitmap] of packs) {
        const chunks = live.get(name) ?? new Set<number>()
        live.set(name, chunks)
        const bits = Buffer.from(bitmap, 'base64')
        for (let i = 0; i < bits.length * 8; i++) if ((bits[i >> 3] ?? 0) & (1 << (i & 7))) chunks.add(i)
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
    if (holders.some(({ listing }) => listing.condemned.has(name) || listing.unrecoverable.has(name)))
      continue
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

/** When the first of the sinks stored each snapshot: what is written again looks new to a sink, and is not. */
function firstStoredOf(replicas: readonly Replica[]): Map<string, Date> {
  const first = new Map<string, Date>()
  const see = (key: string, time: Date): void => {
    const known = first.get(key)
    if (!known || time < known) first.set(key, time)
  }
  for (const { listing, heads } of replicas) {
    for (const [key, { storedAt }] of listing.snapshots) see(key, storedAt)
    for (const [key, { firstStored }] of heads) if (firstStored !== undefined) see(key, new Date(firstStored))
  }
  return first
}

/** Says of each snapshot that stays on a sink where its chunks are now. */
async function rewriteHeads(
  replica: Replica,
  moves: Moves,
  firstStored: ReadonlyMap<string, Date>,
  { gone, host }: CompactOptions,
): Promise<void> {
  for (const [key, head] of replica.heads) {
    if (gone.has(snapshotIdOf(key) ?? '') || !head.packs.some(([name]) => moves.has(name))) continue
    const moved = { ...withMoves(head, moves), firstStored: firstStored.get(key)?.toISOString() }
    await replica.put(key, sealSnapshot(host, key, moved))
    replica.heads.set(key, moved)
  }
}

function withMoves(head: SnapshotHead, moves: Moves): SnapshotHead {
  const packs = new Map<string, Buffer>()
  for (const [name, bitmap] of head.packs) {
    const bits = Buffer.from(bitmap, 'base64')
    const moved = moves.get(name)
    if (!moved) {
      packs.set(name, bits)
      continue
    }
    for (const [index, { pack, position }] of moved) {
      if (((bits[index >> 3] ?? 0) & (1 << (index & 7))) === 0) continue
      const known = packs.get(pack) ?? Buffer.alloc(0)
      const grown = known.length > position >> 3 ? known : Buffer.concat([known], (position >> 3) + 1)
      grown[position >> 3] = (grown[position >> 3] ?? 0) | (1 << (position & 7))
      packs.set(pack, grown)
    }
  }
  const sorted = [...packs].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...head, packs: sorted.map(([name, bits]) => [name, bits.toString('base64')] as const) }
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

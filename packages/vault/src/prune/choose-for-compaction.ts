import { ChunkKind } from '../chunk-codec.ts'
import { NODE_PACK_BYTES, PACK_BYTES } from '../seal/open-packs.ts'

/** A pack that is needed, and how much of it. */
export interface PackUse {
  readonly name: string
  readonly sizeBytes: number
  readonly liveBytes: number
  /** Of its first chunk: packs hold data or nodes. */
  readonly kind: ChunkKind
  /** Hex. */
  readonly hostId: string
}

/** Packs that are put together: of one host, and of one kind. */
export interface CompactionGroup {
  readonly hostId: Uint8Array
  readonly kind: 'data' | 'nodes'
  readonly names: readonly string[]
}

/** One of which less than this part is live is mostly dead. */
const LEAST_LIVE = 0.5
/** A pack is small below this part of what a full one has. */
const SMALL = 0.25

/**
 * Which packs are worth moving: those that are mostly dead, and small ones where there are enough to make a full pack of, or eight of them.
 */
export function chooseForCompaction(uses: readonly PackUse[]): CompactionGroup[] {
  const groups = Map.groupBy(
    uses,
    ({ hostId, kind }) => `${hostId} ${kind === ChunkKind.data ? 'data' : 'nodes'}`,
  )
  const chosen: CompactionGroup[] = []
  for (const [name, packs] of groups) {
    const [hostId = '', kind] = name.split(' ')
    const fullBytes = kind === 'data' ? PACK_BYTES : NODE_PACK_BYTES
    const dead = packs.filter(({ liveBytes, sizeBytes }) => liveBytes < sizeBytes * LEAST_LIVE)
    const small = packs.filter((pack) => !dead.includes(pack) && pack.sizeBytes < fullBytes * SMALL)
    const smallBytes = small.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
    const isEnough = small.length >= 8 || smallBytes >= fullBytes
    const worth = [...dead, ...(isEnough ? small : [])]
    // To move one pack's chunks into one pack gains something only where much of it is dead.
    if (worth.length === 0) continue
    const names = worth.map((pack) => pack.name).sort()
    chosen.push({ hostId: Buffer.from(hostId, 'hex'), kind: kind === 'data' ? 'data' : 'nodes', names })
  }
  return chosen
}

import { ChunkKind } from '../format/chunk-codec.ts'
import { NODE_PACK_BYTES, PACK_BYTES } from '../seal/open-packs.ts'

/** A pack that is needed, and how much of it. */
export interface PackUse {
  readonly name: string
  readonly sizeBytes: number
  /** Of all its chunks: what a pack has beside them a new one has as well. */
  readonly chunkBytes: number
  /** Of those that a snapshot needs. */
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

/** One of which less than this part is live is mostly dead: to move the rest frees more than it sends. */
const MIN_LIVE = 0.5
/** A pack is small below this part of what a full one has. */
const SMALL = 0.25
/** So many small packs of about one size are put together, so that each byte moves but a few times until it is in a large one. */
const ENOUGH = 8

/** Which packs are worth moving: those that are mostly dead, and small ones where there are enough of about one size. */
export function chooseForCompaction(uses: readonly PackUse[]): CompactionGroup[] {
  const groups = Map.groupBy(
    uses,
    ({ hostId, kind }) => `${hostId} ${kind === ChunkKind.data ? 'data' : 'nodes'}`,
  )
  const chosen: CompactionGroup[] = []
  for (const [group, packs] of groups) {
    const [hostId = '', kind] = group.split(' ')
    const fullBytes = kind === 'data' ? PACK_BYTES : NODE_PACK_BYTES
    const { dead = [], small = [] } = Object.groupBy(packs, ({ liveBytes, chunkBytes, sizeBytes }) => {
      if (liveBytes < chunkBytes * MIN_LIVE) return 'dead'
      return sizeBytes < fullBytes * SMALL ? 'small' : 'large'
    })
    const tiers = Map.groupBy(small, ({ sizeBytes }) => Math.floor(Math.log(sizeBytes) / Math.log(ENOUGH)))
    const many = [...tiers.values()].filter((tier) => tier.length >= ENOUGH).flat()
    const names = [...dead, ...many].map(({ name }) => name).sort()
    if (names.length === 0) continue
    chosen.push({ hostId: Buffer.from(hostId, 'hex'), kind: kind === 'data' ? 'data' : 'nodes', names })
  }
  return chosen
}

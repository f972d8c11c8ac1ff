import { type SnapshotHead, sealSnapshot } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import type { Replica } from './replica.ts'

/** Where chunks of a pack are now: by its name, for each of its chunks the other pack and its number in it. */
export type Moves = Map<string, Map<number, NewLocation>>

export interface NewLocation {
  readonly pack: string
  readonly position: number
}

export interface MoveHeadsOptions {
  readonly moves: Moves
  /** When the first of the sinks stored each snapshot: `firstStoredOf`. */
  readonly firstStored: ReadonlyMap<string, Date>
  readonly host: VaultHost
  /** Puts a snapshot in the place of what has its key. @returns whether it is there */
  readonly put: (key: string, object: Uint8Array) => Promise<boolean>
  /** Which snapshots are replaced, by key. Default all. */
  readonly isMoved?: ((key: string) => boolean) | undefined
}

/**
 * Says of each snapshot on a sink where its chunks are now. It keeps its key: it is replaced, whole, by one that says the same of other packs.
 * @returns keys of those that were replaced, and their sizes in bytes
 * @throws SinkError
 */
export async function moveHeads(
  replica: Replica,
  { moves, firstStored, host, put, isMoved = () => true }: MoveHeadsOptions,
): Promise<ReadonlyMap<string, number>> {
  const replaced = new Map<string, number>()
  for (const [key, head] of replica.heads) {
    if (!isMoved(key) || !head.packs.some(([name]) => moves.has(name))) continue
    const moved = { ...withMoves(head, moves), firstStored: firstStored.get(key)?.toISOString() }
    const object = sealSnapshot(host, key, moved)
    if (!(await put(key, object))) continue
    replica.heads.set(key, moved)
    replaced.set(key, object.length)
  }
  return replaced
}

/** When the first of the sinks stored each snapshot: what is written again looks new to a sink, and is not. */
export function firstStoredOf(replicas: readonly Replica[]): Map<string, Date> {
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

/** Numbers of the chunks of a pack that a snapshot needs. @param bitmap - as a snapshot has it */
export function* usedChunks(bitmap: string): Generator<number> {
  const bits = Buffer.from(bitmap, 'base64')
  for (let i = 0; i < bits.length * 8; i++) if ((bits[i >> 3] ?? 0) & (1 << (i & 7))) yield i
}

function withMoves(head: SnapshotHead, moves: Moves): SnapshotHead {
  const stays = head.packs.filter(([name]) => !moves.has(name))
  const packs = new Map(stays.map(([name, bitmap]) => [name, Buffer.from(bitmap, 'base64')]))
  const use = (name: string, position: number): void => {
    const known = packs.get(name) ?? Buffer.alloc(0)
    const grown = known.length > position >> 3 ? known : Buffer.concat([known], (position >> 3) + 1)
    grown[position >> 3] = (grown[position >> 3] ?? 0) | (1 << (position & 7))
    packs.set(name, grown)
  }
  for (const [name, bitmap] of head.packs) {
    const moved = moves.get(name)
    if (!moved) continue
    for (const index of usedChunks(bitmap)) {
      const to = moved.get(index)
      // What is nowhere else stays where it was.
      use(to?.pack ?? name, to?.position ?? index)
    }
  }
  const sorted = [...packs].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...head, packs: sorted.map(([name, bits]) => [name, bits.toString('base64')] as const) }
}

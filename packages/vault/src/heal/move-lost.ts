import { type PackFooter, packKey } from '../format/pack-format.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { firstStoredOf, type Moves, moveHeads, type NewLocation, usedChunks } from '../store/move-heads.ts'
import { readFooters } from '../store/read-footers.ts'
import type { Replica } from '../store/replica.ts'
import { replaceObject } from './replace-object.ts'

export interface MoveLostOptions {
  /** All that could be listed. */
  readonly replicas: readonly Replica[]
  /** Those whose snapshots are replaced. */
  readonly targets: readonly Replica[]
  /** Names of packs that no sink has whole, and keys of the snapshots that need them: those that do no more are taken out. */
  readonly lost: Map<string, Set<string>>
  readonly host: VaultHost
  readonly stateDirectory: string
  /** Asked before a snapshot is replaced. @throws where what it rests on may have been deleted meanwhile */
  readonly requireAlive: (replica: Replica) => Promise<void>
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes snapshots whole that need packs which are unrecoverable: their host may have stored the same chunks again, in other packs, with a later
 * run. The snapshots then name those, but on a sink that lets nothing be replaced. A failure is the replica's own.
 * @returns of each sink, keys of the snapshots that were replaced, and their sizes in bytes
 * @throws the abort's reason
 */
export async function moveLost(options: MoveLostOptions): Promise<Map<Replica, ReadonlyMap<string, number>>> {
  const { replicas, targets, lost, host, requireAlive } = options
  const replaced = new Map<Replica, ReadonlyMap<string, number>>()
  const wanted = lostChunks(targets, lost)
  if (wanted.size === 0) return replaced
  const footers = await readFooters(replicas, options)
  const firstStored = firstStoredOf(replicas)
  for (const replica of targets.filter(({ sink }) => !sink.appendOnly))
    await replica.attempt(async () => {
      const moves = movesOn(replica, wanted, footers)
      if (moves.size === 0) return
      await requireAlive(replica)
      const put = (key: string, object: Uint8Array): Promise<boolean> => replaceObject(replica, key, object)
      replaced.set(replica, await moveHeads(replica, { moves, firstStored, host, put }))
    })
  const isNeeded = (name: string, key: string): boolean =>
    targets.some(({ heads }) => heads.get(key)?.packs.some(([pack]) => pack === name))
  for (const [name, snapshots] of lost) {
    for (const key of snapshots) if (!isNeeded(name, key)) snapshots.delete(key)
    if (snapshots.size === 0) lost.delete(name)
  }
  return replaced
}

/** Which chunks of the packs that are lost snapshots need. */
function lostChunks(
  targets: readonly Replica[],
  lost: ReadonlyMap<string, unknown>,
): Map<string, Set<number>> {
  const wanted = new Map<string, Set<number>>()
  for (const { heads } of targets)
    for (const { packs } of heads.values())
      for (const [name, bitmap] of packs) {
        if (!lost.has(name)) continue
        const chunks = wanted.get(name) ?? new Set<number>()
        wanted.set(name, chunks)
        for (const index of usedChunks(bitmap)) chunks.add(index)
      }
  return wanted
}

/** Where a sink has those chunks otherwise: in packs of the same host, which nothing is known against. */
function movesOn(
  replica: Replica,
  wanted: ReadonlyMap<string, ReadonlySet<number>>,
  footers: ReadonlyMap<string, PackFooter>,
): Moves {
  const moves: Moves = new Map()
  const sought = new Map<string, Map<string, { readonly from: string; readonly index: number }[]>>()
  for (const [from, chunks] of wanted) {
    const footer = footers.get(from)
    if (!footer) continue
    const ofHost = sought.get(hex(footer.hostId)) ?? new Map<string, { from: string; index: number }[]>()
    sought.set(hex(footer.hostId), ofHost)
    for (const index of chunks) {
      const { id } = footer.chunks[index] ?? {}
      if (id) ofHost.set(hex(id), [...(ofHost.get(hex(id)) ?? []), { from, index }])
    }
  }
  const { condemned, unrecoverable } = replica.listing
  for (const [pack, { hostId, chunks }] of footers) {
    const ofHost = sought.get(hex(hostId))
    const isSure = !condemned.has(pack) && !unrecoverable.has(pack) && replica.has(packKey(pack))
    if (!ofHost || !isSure || wanted.has(pack)) continue
    for (const [position, { id }] of chunks.entries())
      for (const { from, index } of ofHost.get(hex(id)) ?? []) {
        const moved = moves.get(from) ?? new Map<number, NewLocation>()
        moves.set(from, moved.set(index, { pack, position }))
      }
  }
  return moves
}

function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex')
}

import { encodeFooterContent, type PackFooter } from '../format/pack-format.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { hasCode } from '../has-code.ts'
import { firstStoredOf, type Moves, moveHeads, type NewLocation, usedChunks } from '../store/move-heads.ts'
import { readFooters } from '../store/read-footers.ts'
import { readPackFooter } from '../store/read-pack-footer.ts'
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
  const sought = soughtChunks(wanted, footers)
  const firstStored = firstStoredOf(replicas)
  for (const replica of targets.filter(({ sink }) => !sink.appendOnly))
    await replica.attempt(async () => {
      const moves = await movesOn(replica, sought, footers, lost)
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

/** Which chunk of which lost pack. */
interface LostChunk {
  readonly from: string
  readonly index: number
}

/** By host, the chunks that are lost, by their ids. */
type SoughtChunks = ReadonlyMap<string, ReadonlyMap<string, readonly LostChunk[]>>

/** By what the index says of the damaged packs: what has their names now may be another pack. */
function soughtChunks(
  wanted: ReadonlyMap<string, ReadonlySet<number>>,
  footers: ReadonlyMap<string, PackFooter>,
): SoughtChunks {
  const sought = new Map<string, Map<string, LostChunk[]>>()
  for (const [from, chunks] of wanted) {
    const footer = footers.get(from)
    if (!footer) continue
    const ofHost = sought.get(hex(footer.hostId)) ?? new Map<string, LostChunk[]>()
    sought.set(hex(footer.hostId), ofHost)
    for (const index of chunks) {
      const { id } = footer.chunks[index] ?? {}
      if (id) ofHost.set(hex(id), [...(ofHost.get(hex(id)) ?? []), { from, index }])
    }
  }
  return sought
}

/** Where a sink has those chunks otherwise: in packs of the same host, which nothing is known against. */
async function movesOn(
  replica: Replica,
  sought: SoughtChunks,
  footers: ReadonlyMap<string, PackFooter>,
  lost: ReadonlyMap<string, unknown>,
): Promise<Moves> {
  const moves: Moves = new Map()
  const { listing } = replica
  for (const [pack, footer] of footers) {
    const { hostId, chunks } = footer
    const ofHost = sought.get(hex(hostId))
    const sizeBytes = listing.packs.get(pack)?.sizeBytes
    if (!ofHost || sizeBytes === undefined || !listing.isReliable(pack) || lost.has(pack)) continue
    if (!chunks.some(({ id }) => ofHost.has(hex(id)))) continue
    if (!(await isAsListed(replica, pack, sizeBytes, footer))) continue
    for (const [position, { id }] of chunks.entries())
      for (const { from, index } of ofHost.get(hex(id)) ?? []) {
        const moved = moves.get(from) ?? new Map<number, NewLocation>()
        moves.set(from, moved.set(index, { pack, position }))
      }
  }
  return moves
}

/** Whether a pack has on a sink the footer that an index says it has: one that was swapped for another has its own. @throws SinkError */
async function isAsListed(
  replica: Replica,
  name: string,
  sizeBytes: number,
  listed: PackFooter,
): Promise<boolean> {
  const { sink, context } = replica
  try {
    const own = await readPackFooter(sink, name, sizeBytes, context.keys, context.signal)
    return Buffer.compare(own, encodeFooterContent(listed)) === 0
  } catch (error) {
    if (!hasCode(error, 'corrupt') && !hasCode(error, 'forged')) throw error
    replica.report(error)
    return false
  }
}

function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex')
}

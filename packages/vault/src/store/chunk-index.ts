import { CHUNK_ID_BYTES, type ChunkKind } from '../format/chunk-codec.ts'
import { hashOfId, IdTable } from './id-table.ts'

/** Of a chunk that has been taken up by this run and is not in a finished pack yet. */
const PENDING = 0xffffffff
/** Entries are kept in pieces of this many: what grows is never copied. */
const SEGMENT_BITS = 13
const SEGMENT = 2 ** SEGMENT_BITS
/** Of an entry's flags; the two bits below are its kind. */
const KIND = 3
const LIVE = 4
const WALKED = 8
/** More bytes of one chunk than this need not be counted apart. */
const MOST_USED = 0xffffffff

/** 53 bytes a chunk. */
class Segment {
  readonly ids: Buffer = Buffer.alloc(SEGMENT * CHUNK_ID_BYTES)
  readonly pack: Uint32Array = new Uint32Array(SEGMENT)
  readonly position: Uint32Array = new Uint32Array(SEGMENT)
  readonly rawLength: Uint32Array = new Uint32Array(SEGMENT)
  /** Bytes of data chunks that the entries of this run use, to find bundles that are mostly dead. */
  readonly used: Uint32Array = new Uint32Array(SEGMENT)
  /** The same of the walk that is going on: another pass over the source, or its failure, makes them void. */
  readonly walkUsed: Uint32Array = new Uint32Array(SEGMENT)
  readonly flags: Uint8Array = new Uint8Array(SEGMENT)
}

/** An entry: where it is. */
type Spot = readonly [segment: Segment, at: number]

/**
 * Which chunks there are, in which pack, and whether this run's snapshot needs them, in typed arrays: ten million chunks must neither cost an
 * object each nor pause the collector.
 */
export class ChunkIndex {
  readonly packs: string[] = []
  readonly #packNumbers = new Map<string, number>()
  readonly #segments: Segment[] = []
  readonly #table = new IdTable((number) => {
    const [{ ids }, at] = this.#spot(number)
    return hashOfId(ids, at * CHUNK_ID_BYTES)
  })

  get size(): number {
    return this.#table.size
  }

  has(id: Uint8Array): boolean {
    return this.#find(id) !== undefined
  }

  /** Records a chunk of a finished pack. A chunk that is known in a finished pack already stays where it is. */
  addPacked(id: Uint8Array, kind: ChunkKind, rawLength: number, pack: string, position: number): void {
    const [segment, at] = this.#claim(id, kind, rawLength)
    if (segment.pack[at] !== PENDING) return
    segment.pack[at] = this.#packNumber(pack)
    segment.position[at] = position
  }

  /** Takes up a chunk that this run will store. */
  addPending(id: Uint8Array, kind: ChunkKind, rawLength: number): void {
    this.#claim(id, kind, rawLength)
  }

  /**
   * Marks a chunk as needed by the walk that is going on, for so many of its bytes.
   * @returns false when the chunk is not known
   */
  markLive(id: Uint8Array, usedBytes: number): boolean {
    const spot = this.#find(id)
    if (!spot) return false
    const [{ flags, walkUsed }, at] = spot
    flags[at] = (flags[at] ?? 0) | WALKED
    walkUsed[at] = Math.min(MOST_USED, (walkUsed[at] ?? 0) + usedBytes)
    return true
  }

  /** Forgets what has been marked since the last `keepWalk`. */
  beginWalk(): void {
    for (const [{ flags, walkUsed }, at] of this.#entries()) {
      flags[at] = (flags[at] ?? 0) & ~WALKED
      walkUsed[at] = 0
    }
  }

  /** The ids of the chunks that the walk has marked, one after the other. */
  walkedIds(): Buffer {
    return Buffer.concat(Array.from(this.#flagged(WALKED), idOf))
  }

  /** Makes what the walk has marked a part of the snapshot. */
  keepWalk(): void {
    for (const [{ flags, used, walkUsed }, at] of this.#flagged(WALKED)) {
      flags[at] = (flags[at] ?? 0) | LIVE
      used[at] = Math.min(MOST_USED, (used[at] ?? 0) + (walkUsed[at] ?? 0))
    }
    this.beginWalk()
  }

  /**
   * Makes chunks that an earlier run has walked a part of the snapshot, if all of them are known.
   * @param ids - as `walkedIds` gave them
   */
  keepWalked(ids: Buffer): boolean {
    const spots: Spot[] = []
    for (let from = 0; from < ids.length; from += CHUNK_ID_BYTES) {
      const spot = this.#find(ids.subarray(from, from + CHUNK_ID_BYTES))
      if (!spot) return false
      spots.push(spot)
    }
    for (const [{ flags, used, rawLength }, at] of spots) {
      flags[at] = (flags[at] ?? 0) | LIVE
      // How much of it is used is not known any more: what it was stored for.
      used[at] = Math.max(used[at] ?? 0, rawLength[at] ?? 0)
    }
    return true
  }

  /** The bitmap of live chunks for each pack that has any (docs/format.md section 7). */
  livePacks(): Map<string, Buffer> {
    const positions = new Map<number, number[]>()
    for (const [segment, at] of this.#flagged(LIVE)) {
      const pack = segment.pack[at] ?? PENDING
      if (pack === PENDING) throw new Error('a live chunk is in no pack')
      const list = positions.get(pack)
      const position = segment.position[at] ?? 0
      if (list) list.push(position)
      else positions.set(pack, [position])
    }
    const bitmaps = new Map<string, Buffer>()
    for (const [pack, list] of positions) {
      const last = list.reduce((most, i) => Math.max(most, i), 0)
      const bitmap = Buffer.alloc((last >> 3) + 1)
      for (const i of list) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7))
      bitmaps.set(this.packs[pack] ?? '', bitmap)
    }
    return bitmaps
  }

  /** Data chunks of which this run's snapshot uses less than half. */
  *mostlyDead(): Generator<Uint8Array> {
    for (const spot of this.#flagged(LIVE)) {
      const [{ flags, used, rawLength }, at] = spot
      if (((flags[at] ?? 0) & KIND) !== 0) continue
      if ((used[at] ?? 0) * 2 < (rawLength[at] ?? 0)) yield Buffer.from(idOf(spot))
    }
  }

  #packNumber(pack: string): number {
    let number = this.#packNumbers.get(pack)
    if (number === undefined) {
      number = this.packs.push(pack) - 1
      this.#packNumbers.set(pack, number)
    }
    return number
  }

  /** The entry of a chunk, made where there is none. */
  #claim(id: Uint8Array, kind: ChunkKind, rawLength: number): Spot {
    const known = this.#find(id)
    if (known) return known
    const number = this.#table.size
    if (number % SEGMENT === 0) this.#segments.push(new Segment())
    const spot = this.#spot(number)
    const [segment, at] = spot
    segment.ids.set(id, at * CHUNK_ID_BYTES)
    segment.pack[at] = PENDING
    segment.rawLength[at] = rawLength
    segment.flags[at] = kind
    this.#table.add()
    return spot
  }

  #find(id: Uint8Array): Spot | undefined {
    for (const number of this.#table.mayHave(id)) {
      const spot = this.#spot(number)
      const [{ ids }, at] = spot
      if (ids.compare(id, 0, CHUNK_ID_BYTES, at * CHUNK_ID_BYTES, (at + 1) * CHUNK_ID_BYTES) === 0)
        return spot
    }
    return undefined
  }

  #spot(number: number): Spot {
    const segment = this.#segments[number >>> SEGMENT_BITS]
    if (!segment) throw new RangeError(`there is no entry ${number}`)
    return [segment, number & (SEGMENT - 1)]
  }

  *#entries(): Generator<Spot> {
    for (let number = 0; number < this.size; number++) yield this.#spot(number)
  }

  *#flagged(flag: number): Generator<Spot> {
    for (const spot of this.#entries()) if (((spot[0].flags[spot[1]] ?? 0) & flag) !== 0) yield spot
  }
}

function idOf([{ ids }, at]: Spot): Buffer {
  return ids.subarray(at * CHUNK_ID_BYTES, (at + 1) * CHUNK_ID_BYTES)
}

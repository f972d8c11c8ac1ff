import { CHUNK_ID_BYTES, type ChunkKind } from '../format/chunk-codec.ts'

const EMPTY = 0xffffffff
/** Of a chunk that has been taken up by this run and is not in a finished pack yet. */
const PENDING = 0xfffffffe

/**
 * Which chunks there are, in which pack, and whether this run's snapshot needs them: one open-addressed table over typed arrays,
 * because a table of a million chunks must neither cost an object each nor pause the collector.
 */
export class ChunkIndex {
  readonly packs: string[] = []
  readonly #packNumbers = new Map<string, number>()
  #capacity: number
  #size = 0
  #ids: Buffer
  #pack: Uint32Array
  #position: Uint32Array
  #rawLength: Uint32Array
  #kind: Uint8Array
  #live: Uint8Array
  /** Bytes of data chunks that the entries of this run use, to find bundles that are mostly dead. */
  #used: Float64Array
  /** The same of the walk that is going on: another pass over the source, or its failure, makes them void. */
  #walkLive: Uint8Array
  #walkUsed: Float64Array

  constructor(expectedChunks = 1024) {
    this.#capacity = 2 ** Math.ceil(Math.log2(Math.max(1024, expectedChunks * 2)))
    this.#ids = Buffer.alloc(this.#capacity * CHUNK_ID_BYTES)
    this.#pack = new Uint32Array(this.#capacity).fill(EMPTY)
    this.#position = new Uint32Array(this.#capacity)
    this.#rawLength = new Uint32Array(this.#capacity)
    this.#kind = new Uint8Array(this.#capacity)
    this.#live = new Uint8Array(this.#capacity)
    this.#used = new Float64Array(this.#capacity)
    this.#walkLive = new Uint8Array(this.#capacity)
    this.#walkUsed = new Float64Array(this.#capacity)
  }

  get size(): number {
    return this.#size
  }

  has(id: Uint8Array): boolean {
    return this.#pack[this.#slot(id)] !== EMPTY
  }

  /** Records a chunk of a finished pack. A chunk that is known in a finished pack already stays where it is. */
  addPacked(id: Uint8Array, kind: ChunkKind, rawLength: number, pack: string, position: number): void {
    const slot = this.#claim(id, kind, rawLength)
    const known = this.#pack[slot]
    if (known !== PENDING && known !== EMPTY) return
    this.#pack[slot] = this.#packNumber(pack)
    this.#position[slot] = position
  }

  /** Takes up a chunk that this run will store. */
  addPending(id: Uint8Array, kind: ChunkKind, rawLength: number): void {
    const slot = this.#claim(id, kind, rawLength)
    if (this.#pack[slot] === EMPTY) this.#pack[slot] = PENDING
  }

  /**
   * Marks a chunk as needed by the walk that is going on, for so many of its bytes.
   * @returns false when the chunk is not known
   */
  markLive(id: Uint8Array, usedBytes: number): boolean {
    const slot = this.#slot(id)
    if (this.#pack[slot] === EMPTY) return false
    this.#walkLive[slot] = 1
    this.#walkUsed[slot] = (this.#walkUsed[slot] ?? 0) + usedBytes
    return true
  }

  /** Forgets what has been marked since the last `keepWalk`. */
  beginWalk(): void {
    this.#walkLive.fill(0)
    this.#walkUsed.fill(0)
  }

  /** The ids of the chunks that the walk has marked, one after the other. */
  walkedIds(): Buffer {
    const ids: Buffer[] = []
    for (let slot = 0; slot < this.#capacity; slot++)
      if (this.#walkLive[slot] === 1) ids.push(this.#idAt(slot))
    return Buffer.concat(ids)
  }

  /** Makes what the walk has marked a part of the snapshot. */
  keepWalk(): void {
    for (let slot = 0; slot < this.#capacity; slot++) {
      if (this.#walkLive[slot] === 0) continue
      this.#live[slot] = 1
      this.#used[slot] = (this.#used[slot] ?? 0) + (this.#walkUsed[slot] ?? 0)
    }
    this.beginWalk()
  }

  /**
   * Makes chunks that an earlier run has walked a part of the snapshot, if all of them are known.
   * @param ids - as `walkedIds` gave them
   */
  keepWalked(ids: Buffer): boolean {
    const slots: number[] = []
    for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
      const slot = this.#slot(ids.subarray(at, at + CHUNK_ID_BYTES))
      if (this.#pack[slot] === EMPTY) return false
      slots.push(slot)
    }
    for (const slot of slots) {
      this.#live[slot] = 1
      // How much of it is used is not known any more: what it was stored for.
      this.#used[slot] = Math.max(this.#used[slot] ?? 0, this.#rawLength[slot] ?? 0)
    }
    return true
  }

  /** The bitmap of live chunks for each pack that has any (docs/format.md section 7). */
  livePacks(): Map<string, Buffer> {
    const positions = new Map<number, number[]>()
    for (let slot = 0; slot < this.#capacity; slot++) {
      if (this.#live[slot] === 0) continue
      const pack = this.#pack[slot] ?? EMPTY
      if (pack === PENDING || pack === EMPTY) throw new Error('a live chunk is in no pack')
      const list = positions.get(pack)
      const position = this.#position[slot] ?? 0
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
    for (let slot = 0; slot < this.#capacity; slot++) {
      if (this.#live[slot] === 0 || this.#kind[slot] !== 0) continue
      if ((this.#used[slot] ?? 0) * 2 < (this.#rawLength[slot] ?? 0)) yield Buffer.from(this.#idAt(slot))
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

  #claim(id: Uint8Array, kind: ChunkKind, rawLength: number): number {
    let slot = this.#slot(id)
    if (this.#pack[slot] !== EMPTY) return slot
    if (this.#size * 2 >= this.#capacity) {
      this.#grow()
      slot = this.#slot(id)
    }
    this.#ids.set(id, slot * CHUNK_ID_BYTES)
    this.#kind[slot] = kind
    this.#rawLength[slot] = rawLength
    this.#size++
    return slot
  }

  #idAt(slot: number): Buffer {
    return this.#ids.subarray(slot * CHUNK_ID_BYTES, (slot + 1) * CHUNK_ID_BYTES)
  }

  /** Where the id is, or the empty slot where it would be. Ids are keyed hashes: any four of their bytes spread well. */
  #slot(id: Uint8Array): number {
    const mask = this.#capacity - 1
    const hash = ((id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24)) >>> 0
    let slot = hash & mask
    while (
      this.#pack[slot] !== EMPTY &&
      this.#ids.compare(id, 0, CHUNK_ID_BYTES, slot * CHUNK_ID_BYTES, (slot + 1) * CHUNK_ID_BYTES) !== 0
    ) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const old = {
      capacity: this.#capacity,
      ids: this.#ids,
      pack: this.#pack,
      position: this.#position,
      rawLength: this.#rawLength,
      kind: this.#kind,
      live: this.#live,
      used: this.#used,
      walkLive: this.#walkLive,
      walkUsed: this.#walkUsed,
    }
    this.#capacity *= 2
    this.#ids = Buffer.alloc(this.#capacity * CHUNK_ID_BYTES)
    this.#pack = new Uint32Array(this.#capacity).fill(EMPTY)
    this.#position = new Uint32Array(this.#capacity)
    this.#rawLength = new Uint32Array(this.#capacity)
    this.#kind = new Uint8Array(this.#capacity)
    this.#live = new Uint8Array(this.#capacity)
    this.#used = new Float64Array(this.#capacity)
    this.#walkLive = new Uint8Array(this.#capacity)
    this.#walkUsed = new Float64Array(this.#capacity)
    for (let from = 0; from < old.capacity; from++) {
      if (old.pack[from] === EMPTY) continue
      const id = old.ids.subarray(from * CHUNK_ID_BYTES, (from + 1) * CHUNK_ID_BYTES)
      const to = this.#slot(id)
      this.#ids.set(id, to * CHUNK_ID_BYTES)
      this.#pack[to] = old.pack[from] ?? EMPTY
      this.#position[to] = old.position[from] ?? 0
      this.#rawLength[to] = old.rawLength[from] ?? 0
      this.#kind[to] = old.kind[from] ?? 0
      this.#live[to] = old.live[from] ?? 0
      this.#used[to] = old.used[from] ?? 0
      this.#walkLive[to] = old.walkLive[from] ?? 0
      this.#walkUsed[to] = old.walkUsed[from] ?? 0
    }
  }
}

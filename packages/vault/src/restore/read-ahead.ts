import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'
import type { ChunkLocation, ChunkLocations } from './chunk-locations.ts'
import { ChunkOpener } from './chunk-opener.ts'
import type { Leaf } from './leaves.ts'
import type { OpenerStart } from './open-messages.ts'
import type { PackReader } from './pack-reader.ts'
import { LEAVES_AHEAD, type Place, ReadPlan } from './read-plan.ts'
import type { ReadsChunks } from './walk-manifest.ts'

const MIB = 1024 * 1024
/** How far ahead of what is read, in plain bytes: little at first, and as much more as is read of what was ahead. */
const FIRST_AHEAD_BYTES = 4 * MIB
const MAX_AHEAD_BYTES = 32 * MIB
/** So much ahead is worth threads: they take a tenth of a second to start. */
const THREADS_FROM_BYTES = 16 * MIB
/** So many at once hide what a request waits for; more would only share a line. */
const MAX_REQUESTS = 16

export interface ReadAheadOptions {
  /** Reads what is not ahead, from whichever sink has it whole. */
  readonly chunks: ReadsChunks
  readonly packs: PackReader
  readonly locations: ChunkLocations
  readonly keys: Pick<OpenerStart, 'idKey' | 'nodeIdKey'>
  readonly signal?: AbortSignal | undefined
}

/** A chunk that will be read. */
export interface Ahead {
  readonly name: string
  readonly location: ChunkLocation | undefined
  readonly sizeBytes: number
  isRequested: boolean
  isRead: boolean
  isPassed: boolean
}

/**
 * Fetches packs before they are read, and opens chunks on other threads, in the order of a manifest, from the file that is being read on. Nothing is done before
 * a file is read, and little before several were: a listing fetches no data. What fails here is left to the reading of the chunk by itself.
 */
export class ReadAhead implements AsyncDisposable {
  readonly #options: ReadAheadOptions
  readonly #opener: ChunkOpener
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  #manifest: object | undefined
  /** The number of the leaf that the last opened file is in: the leaf itself would hold all that follow. */
  #reached = 0
  #plan: ReadPlan | undefined
  /** In order; the first is being read. */
  readonly #ahead: Ahead[] = []
  readonly #byName = new Map<string, Ahead>()
  /** What was read by itself: the small files behind the first are in the same chunk. */
  #last: { readonly name: string; readonly plain: Uint8Array } | undefined
  #aheadBytes = 0
  #maxBytes = FIRST_AHEAD_BYTES
  #isPlanning = false
  #isPlanned = false

  constructor(options: ReadAheadOptions) {
    this.#options = options
    const { signal } = options
    this.#signal = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    this.#opener = new ChunkOpener(options.packs, options.keys, {
      next: () => this.#ahead,
      onProgress: () => this.#goOn(),
      onDropped: (item) => this.#forget(item),
    })
  }

  /** The restore comes to a leaf. A plan that no file was opened of for long is given up, with the leaves that it holds. */
  enter(leaf: Leaf): void {
    const isOther = leaf.manifest !== this.#manifest
    if (!isOther && leaf.number <= this.#reached + LEAVES_AHEAD) return
    this.#passUntil(undefined)
    this.#manifest = leaf.manifest
    this.#reached = leaf.number
    this.#plan = undefined
    this.#maxBytes = FIRST_AHEAD_BYTES
  }

  /** A file is opened: what is read next is it, and most likely the files behind it. */
  reach(place: Place): void {
    const { manifest, number } = place.leaf
    if (manifest !== this.#manifest || number < this.#reached) return
    const isOtherLeaf = number !== this.#reached
    this.#reached = number
    if (!this.#plan) this.#isPlanned = false
    if (this.#plan) this.#plan.reach(place)
    else this.#plan = new ReadPlan(this.#options.chunks, place)
    if (isOtherLeaf || this.#ahead.length === 0) void this.#extend()
  }

  /** The plain bytes of a chunk that has been opened ahead, as long as nothing is waited for. */
  opened(id: Uint8Array): Uint8Array | undefined {
    const name = nameOf(id)
    if (this.#last?.name === name) return this.#last.plain
    const item = this.#byName.get(name)
    if (!item) return undefined
    this.#read(item)
    return this.#opener.plainOf(item)
  }

  /** Waits for a chunk. @returns its plain bytes; undefined where it is in `opened` now @throws as ChunkReader */
  async load(id: Uint8Array): Promise<Uint8Array | undefined> {
    const name = nameOf(id)
    // The first one is read before anything is planned, and not to be planned behind itself.
    const item = this.#byName.get(name) ?? (this.#ahead.length === 0 ? this.#add(name, id) : undefined)
    if (item) this.#read(item)
    if (item && (await this.#opener.wait(item))) return undefined
    const plain = await this.#options.chunks.read(id)
    this.#options.packs.letGo(item?.location)
    this.#last = { name, plain }
    return plain
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('reading has ended'))
    this.#passUntil(undefined)
    await this.#opener[Symbol.asyncDispose]()
  }

  #add(name: string, id: Uint8Array): Ahead {
    const [location] = this.#options.locations.find(id)
    const sizeBytes = location?.chunk.rawLength ?? 0
    const item = { name, location, sizeBytes, isRequested: false, isRead: false, isPassed: false }
    this.#ahead.push(item)
    this.#byName.set(name, item)
    this.#aheadBytes += sizeBytes
    return item
  }

  #read(item: Ahead): void {
    if (item.isRead) return
    item.isRead = true
    this.#maxBytes = Math.min(MAX_AHEAD_BYTES, this.#maxBytes + item.sizeBytes)
    if (!item.isPassed) this.#passUntil(item)
    void this.#extend()
  }

  /** What is before this has been read, or will not be. */
  #passUntil(item: Ahead | undefined): void {
    const count = item ? this.#ahead.indexOf(item) : this.#ahead.length
    for (const passed of this.#ahead.splice(0, count)) {
      passed.isPassed = true
      this.#aheadBytes -= passed.sizeBytes
      // Files are left out: what is ahead may be as well.
      if (!passed.isRead) this.#maxBytes = FIRST_AHEAD_BYTES
      if (!this.#opener.has(passed)) this.#forget(passed)
    }
  }

  #forget(item: Ahead): void {
    if (this.#byName.get(item.name) === item) this.#byName.delete(item.name)
    this.#options.packs.letGo(item.location)
  }

  async #extend(): Promise<void> {
    if (this.#isPlanning) return
    this.#isPlanning = true
    while (!this.#isPlanned && this.#aheadBytes < this.#maxBytes && !this.#signal.aborted) {
      const plan = this.#plan
      const id = await plan?.next().catch(() => undefined)
      if (plan !== this.#plan) continue
      if (id === 'wait') break
      if (id === undefined) this.#isPlanned = true
      else if (!this.#byName.has(nameOf(id))) this.#add(nameOf(id), id)
    }
    this.#isPlanning = false
    this.#goOn()
  }

  #goOn(): void {
    if (this.#signal.aborted) return
    this.#fetch()
    if (this.#aheadBytes >= THREADS_FROM_BYTES) this.#opener.start()
    void this.#opener.open()
  }

  /** Asks for what is ahead, in order. */
  #fetch(): void {
    const { packs, locations } = this.#options
    const wanted = new Map<string, number>()
    for (const item of this.#ahead) {
      const pack = item.isRead || this.#opener.has(item) ? undefined : item.location?.pack
      if (pack !== undefined) wanted.set(pack, (wanted.get(pack) ?? 0) + 1)
    }
    for (const [i, item] of this.#ahead.entries()) {
      const { location } = item
      if (!location || item.isRequested || item.isRead) continue
      if (!packs.isFetched(location)) {
        if (packs.requests >= MAX_REQUESTS) return
        const { pack } = location
        const size = locations.packBytes(pack)
        const isWhole = packs.isWorthFetching(pack, size, wanted.get(pack) ?? 0)
        // More of its pack may be wanted by what is not planned yet.
        if (!isWhole && !this.#isPlanned && i > this.#ahead.length / 2) continue
        const isNeeded = (name: string) => wanted.has(name)
        if (
          !packs.fetchAhead(location, isWhole ? size : undefined, isNeeded, this.#signal, () => this.#goOn())
        )
          return
      }
      item.isRequested = true
    }
  }
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, CHUNK_ID_BYTES).toString('latin1')
}

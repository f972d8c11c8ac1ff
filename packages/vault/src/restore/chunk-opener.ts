import { copyBytes } from '../copy-bytes.ts'
import { CHUNK_OVERHEAD_BYTES } from '../format/chunk-codec.ts'
import { openPiece } from './open-batch.ts'
import type { Batch, BatchPiece, OpenerStart } from './open-messages.ts'
import { OpenPool } from './open-pool.ts'
import type { PackReader } from './pack-reader.ts'
import type { Ahead } from './read-ahead.ts'
import { TRAY_BYTES, type Tray, Trays } from './trays.ts'

/** Sealed chunks are copied here on their way to a thread: what fits a tray when it is opened fits this. */
const SEALED_BYTES = TRAY_BYTES + 64 * 1024
const MAX_PIECES = (SEALED_BYTES - TRAY_BYTES) / CHUNK_OVERHEAD_BYTES

interface Course {
  /** What is to be read, in order. */
  next(): readonly Ahead[]
  /** Called when a batch is done. */
  onProgress(): void
  /** Called with what was opened, and is not there any more. */
  onDropped(item: Ahead): void
}

interface Spot {
  readonly tray: Tray<Ahead>
  readonly at: number
  /** Once it has been handed over. */
  batch?: Batch
  isOpened: boolean
}

/** Opens what is ahead, batch by batch, on other threads. */
export class ChunkOpener implements AsyncDisposable {
  readonly #packs: PackReader
  readonly #keys: Pick<OpenerStart, 'idKey' | 'nodeIdKey'>
  readonly #course: Course
  readonly #pool: OpenPool
  readonly #trays = new Trays<Ahead>()
  readonly #spots = new Map<Ahead, Spot>()
  /** What could not be opened. */
  readonly #failed = new WeakSet<Ahead>()
  readonly #sealedMemory: SharedArrayBuffer[] = []
  #isGathering = false

  constructor(packs: PackReader, keys: Pick<OpenerStart, 'idKey' | 'nodeIdKey'>, course: Course) {
    this.#packs = packs
    this.#keys = keys
    this.#course = course
    this.#pool = new OpenPool(keys, () => course.onProgress())
  }

  /** From now on there is enough to do for threads. */
  start(): void {
    this.#pool.start()
  }

  /** Whether a chunk is opened, or on its way. */
  has(item: Ahead): boolean {
    return this.#spots.has(item)
  }

  /** The plain bytes of a chunk, valid until anything is waited for. */
  plainOf(item: Ahead): Uint8Array | undefined {
    const spot = this.#spots.get(item)
    return spot?.isOpened ? new Uint8Array(spot.tray.memory, spot.at, item.sizeBytes) : undefined
  }

  /** Waits for a chunk that is on its way, and does what there is to do meanwhile. @returns whether it is opened */
  async wait(item: Ahead): Promise<boolean> {
    const spot = this.#spots.get(item)
    if (spot && !spot.isOpened) {
      const { items } = spot.tray
      if (!this.#openHere(spot, item)) for (const next of items.toReversed()) this.#openHere(spot, next)
      if (!spot.isOpened) await spot.tray.done
    }
    return this.plainOf(item) !== undefined
  }

  /** Hands over as much as the threads and the trays take. */
  async open(): Promise<void> {
    if (this.#isGathering) return
    this.#isGathering = true
    while (this.#pool.hasRoom && (await this.#openBatch())) {}
    this.#isGathering = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }

  /** Opens a chunk on this thread, unless another has begun with it. @returns whether it has not */
  #openHere({ batch, tray }: Spot, item: Ahead): boolean {
    const spot = this.#spots.get(item)
    const opened = batch && openPiece(this.#keys, batch, tray.items.indexOf(item))
    if (opened !== undefined && spot) spot.isOpened = opened
    return opened !== undefined
  }

  async #openBatch(): Promise<boolean> {
    const done = Promise.withResolvers<void>()
    const tray = this.#trays.take(
      done.promise,
      ({ isPassed }) => isPassed,
      (item) => {
        this.#spots.delete(item)
        this.#course.onDropped(item)
      },
    )
    if (!tray) return false
    const sealed = this.#sealedMemory.pop() ?? new SharedArrayBuffer(SEALED_BYTES)
    const pieces = await this.#gather(tray, new Uint8Array(sealed))
    if (pieces.length === 0) {
      this.#sealedMemory.push(sealed)
      this.#trays.giveBack(tray)
      return false
    }
    const begun = new Int32Array(new SharedArrayBuffer(4 * pieces.length))
    const batch = { sealed, plain: tray.memory, pieces, begun }
    for (const item of tray.items) Object.assign(this.#spots.get(item) ?? {}, { batch })
    void this.#pool.open(batch).then((opened) => {
      tray.isBusy = false
      this.#sealedMemory.push(sealed)
      for (const [i, item] of tray.items.entries()) {
        const spot = this.#spots.get(item)
        if (opened?.opened[i] && spot) spot.isOpened = true
        if (!spot?.isOpened) this.#failed.add(item)
      }
      done.resolve()
      this.#course.onProgress()
    })
    return true
  }

  /** Copies what comes next, as far as it has been fetched. */
  async #gather(tray: Tray<Ahead>, sealed: Uint8Array): Promise<BatchPiece[]> {
    const pieces: BatchPiece[] = []
    let [from, to] = [0, 0]
    for (const item of this.#course.next().slice()) {
      const { location, sizeBytes } = item
      if (!location || this.#spots.has(item) || this.#failed.has(item) || sizeBytes > TRAY_BYTES) continue
      if (to + sizeBytes > TRAY_BYTES || pieces.length >= MAX_PIECES) break
      if (item.isRead) continue
      if (!item.isRequested) break
      // What is here goes on its way before anything is waited for.
      if (pieces.length > 0 && this.#packs.isComing(location)) break
      const chunk = await this.#packs.sealedAhead(location)
      if (item.isRead) continue
      if (!chunk || from + chunk.sealed.length > sealed.length) {
        this.#failed.add(item)
        continue
      }
      copyBytes(chunk.sealed, sealed, from)
      pieces.push({
        runKey: Uint8Array.from(chunk.runKey),
        chunk: { ...location.chunk, id: Uint8Array.from(location.chunk.id) },
        from,
        to,
      })
      tray.items.push(item)
      this.#spots.set(item, { tray, at: to, isOpened: false })
      this.#packs.letGo(location)
      from += chunk.sealed.length
      to += sizeBytes
    }
    return pieces
  }
}

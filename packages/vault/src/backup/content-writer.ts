import { createCutter, type Gear } from '@pipe-backup/chunker'
import type { EntryReader } from '@pipe-backup/source'
import { ChunkKind } from '../format/chunk-codec.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import { BUNDLE_FILE_BYTES, BUNDLE_MAX_BYTES, bundleEndsAfter } from './bundle.ts'
import { BundledContent, ChunkedContent, type FileContent } from './entry-queue.ts'
import { type PieceRef, Slab } from './slab.ts'

const AVERAGE_CHUNK_BYTES: number = 1024 * 1024
const LARGEST_CHUNK_BYTES: number = 4 * AVERAGE_CHUNK_BYTES
/** The largest chunk, and what is read of the next while that is not known to end. */
export const SLAB_BYTES: number = LARGEST_CHUNK_BYTES + 2 * AVERAGE_CHUNK_BYTES
/** How much is asked of a large file at once. */
const READ_BYTES = 1024 * 1024

export interface ReadContent {
  readonly size: number
  readonly content: FileContent
}

export interface ContentWriterOptions {
  readonly pool: SealPool
  readonly gear: Gear
  /** Resolves when the run may take up more: the window has room. */
  readonly room: () => Promise<void>
  /** The same for a program's output. @returns how many bytes may be read before it is called again */
  readonly roomForPiece: () => Promise<number>
  readonly onRead: (bytes: number) => void
  /** Called when chunks have got their ids. */
  readonly onStored: () => void
}

/** Files' bytes into slabs: small files side by side in bundles, large ones cut into chunks. */
export class ContentWriter {
  readonly #options: ContentWriterOptions
  readonly #cutter: ReturnType<typeof createCutter>
  #bundleSlab: Slab | undefined
  #bundleStart = 0
  #bundle: PieceRef = { id: undefined }
  #largeSlab: Slab | undefined

  constructor(options: ContentWriterOptions) {
    this.#options = options
    this.#cutter = createCutter({ gear: options.gear, averageBytes: AVERAGE_CHUNK_BYTES })
  }

  async readSmall(reader: EntryReader): Promise<ReadContent> {
    const slab = (this.#bundleSlab ??= new Slab(await this.#options.pool.takeSlab()))
    const start = slab.filled
    let at = start
    for (;;) {
      const step = reader.read(slab.bytes.subarray(at, start + BUNDLE_FILE_BYTES))
      const got = typeof step === 'number' ? step : await step
      this.#options.onRead(got)
      if (got === 0) break
      at += got
      if (at === start + BUNDLE_FILE_BYTES) {
        return this.readLarge(reader, { already: slab.bytes.subarray(start, at) })
      }
    }
    const size = at - start
    if (size === 0) return { size, content: new ChunkedContent() }
    slab.filled = at
    // A reading that turns out to have been unsteady leaves its bytes in the bundle, with nobody's name on them.
    const content = new BundledContent(this.#bundle, start - this.#bundleStart, size)
    if (bundleEndsAfter(slab.bytes.subarray(start, at), at - this.#bundleStart)) this.#endBundle()
    return { size, content }
  }

  #endBundle(): void {
    const slab = this.#bundleSlab
    if (!slab || slab.filled === this.#bundleStart) return
    slab.cut(this.#bundleStart, slab.filled - this.#bundleStart, ChunkKind.data, this.#bundle)
    this.#bundle = { id: undefined }
    this.#bundleStart = slab.filled
    // The next bundle must fit, however it is cut: cuts depend on content, never on where a slab happens to end.
    if (slab.room < BUNDLE_MAX_BYTES + BUNDLE_FILE_BYTES) {
      this.#submitBundles()
      // What is in the other slab would keep all the small files behind it waiting.
      this.#submitLarge()
    }
  }

  #submitBundles(): void {
    const slab = this.#bundleSlab
    this.#bundleSlab = undefined
    this.#bundleStart = 0
    this.#submit(slab)
  }

  #submitLarge(): void {
    const slab = this.#largeSlab
    this.#largeSlab = undefined
    this.#submit(slab)
  }

  #submit(slab: Slab | undefined): void {
    slab?.submit(this.#options.pool, this.#options.onStored)
  }

  /** @param how - `already`: bytes that have been read; `isLive`: a program writes it, and is not to wait for long */
  async readLarge(
    reader: EntryReader,
    {
      already,
      isLive = false,
    }: { readonly already?: Uint8Array | undefined; readonly isLive?: boolean | undefined },
  ): Promise<ReadContent> {
    const { pool } = this.#options
    const content = new ChunkedContent()
    let slab = (this.#largeSlab ??= new Slab(await pool.takeSlab()))
    if (already && slab.room < already.length) slab = await this.#nextLargeSlab(slab, slab.filled)
    let chunkStart = slab.filled
    if (already) {
      slab.bytes.set(already, slab.filled)
      slab.filled += already.length
    }
    let size = already?.length ?? 0
    const cut = (to: number) => {
      content.add(slab.cut(chunkStart, to - chunkStart, ChunkKind.data), to - chunkStart)
      chunkStart = to
    }
    for (let ended = false, allowed = 0; !ended; ) {
      if (slab.room === 0) {
        slab = await this.#nextLargeSlab(slab, chunkStart)
        chunkStart = 0
        if (!isLive) await this.#options.room()
      }
      if (isLive && allowed <= 0) allowed = await this.#options.roomForPiece()
      const step = reader.read(
        slab.bytes.subarray(slab.filled, slab.filled + Math.min(READ_BYTES, slab.room)),
      )
      const got = typeof step === 'number' ? step : await step
      this.#options.onRead(got)
      allowed -= got
      slab.filled += got
      size += got
      ended = got === 0
      for (;;) {
        const to = this.#cutter.next(slab.bytes, chunkStart, slab.filled, ended)
        if (to < 0 || to === chunkStart) break
        cut(to)
      }
    }
    if (slab.room < AVERAGE_CHUNK_BYTES) this.#submitLarge()
    return { size, content }
  }

  /** Moves the bytes from `from` on, which are no chunk yet, into a new slab, and hands the old one over. */
  async #nextLargeSlab(slab: Slab, from: number): Promise<Slab> {
    const next = new Slab(await this.#options.pool.takeSlab())
    slab.bytes.copy(next.bytes, 0, from, slab.filled)
    next.filled = slab.filled - from
    this.#submit(slab)
    this.#largeSlab = next
    return next
  }

  /** Hands over what is left in the slabs. */
  submitAll(): void {
    this.#endBundle()
    this.#submitBundles()
    this.#submitLarge()
  }
}

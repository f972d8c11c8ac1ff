import type { Extents } from '../format/extents.ts'
import type { Content } from '../format/manifest-node.ts'
import { type ReadsChunks, walkExtents } from './walk-manifest.ts'

/** A part of a file: a piece of a chunk's plain bytes. */
interface Piece {
  readonly id: Buffer
  readonly offset: number
  readonly length: number
}

/**
 * Whether two files have the same bytes. What both have in the same chunk is not read; of the rest, up to the first difference, two chunks at a time:
 * a small file that was read again is in another chunk, with the same bytes.
 */
export async function sameContent(chunks: ReadsChunks, a: Content, b: Content): Promise<boolean> {
  const [left, right] = [new Pieces(chunks, a), new Pieces(chunks, b)]
  for (;;) {
    const [one, other] = [await left.current(), await right.current()]
    if (!one || !other) return one === other
    const length = Math.min(one.length, other.length)
    const inOneChunk = one.offset === other.offset && one.id.equals(other.id)
    if (!inOneChunk) {
      const first = await bytesOf(chunks, one, length)
      if (Buffer.compare(first, await bytesOf(chunks, other, length)) !== 0) return false
    }
    left.skip(length)
    right.skip(length)
  }
}

async function bytesOf(chunks: ReadsChunks, { id, offset }: Piece, length: number): Promise<Uint8Array> {
  return (await chunks.read(id)).subarray(offset, offset + length)
}

/** The pieces of a file in order, taken off bit by bit. */
class Pieces {
  readonly #batches: AsyncGenerator<Extents>
  #batch: Extents | undefined
  #next = 0
  #piece: Piece | undefined

  constructor(chunks: ReadsChunks, content: Content) {
    this.#batches = walkExtents(chunks, content)
  }

  async current(): Promise<Piece | undefined> {
    while (!this.#piece) {
      if (this.#batch && this.#next < this.#batch.count) {
        const i = this.#next++
        const length = this.#batch.length(i)
        if (length > 0) this.#piece = { id: this.#batch.id(i), offset: this.#batch.offset(i), length }
        continue
      }
      const step = await this.#batches.next()
      if (step.done) return undefined
      this.#batch = step.value
      this.#next = 0
    }
    return this.#piece
  }

  skip(bytes: number): void {
    const piece = this.#piece
    if (!piece) return
    const { id, offset, length } = piece
    this.#piece = bytes < length ? { id, offset: offset + bytes, length: length - bytes } : undefined
  }
}

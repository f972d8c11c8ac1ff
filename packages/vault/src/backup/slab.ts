import type { ChunkKind } from '../format/chunk-codec.ts'
import type { SlabPiece } from '../seal/messages.ts'
import type { SealPool } from '../seal/seal-pool.ts'

/** A chunk on its way: its id is known once a worker has hashed it. */
export interface PieceRef {
  id: Uint8Array | undefined
}

/** Memory that is being filled with chunks, to be handed to the seal pool whole. */
export class Slab {
  readonly memory: ArrayBuffer
  readonly bytes: Buffer
  /** How far it is filled. */
  filled = 0
  readonly #pieces: SlabPiece[] = []
  readonly #refs: PieceRef[] = []

  constructor(memory: ArrayBuffer) {
    this.memory = memory
    this.bytes = Buffer.from(memory)
  }

  get room(): number {
    return this.bytes.length - this.filled
  }

  /** Declares bytes of the slab to be a chunk. @param ref - is given the chunk's id when that is known */
  cut(offset: number, length: number, kind: ChunkKind, ref: PieceRef = { id: undefined }): PieceRef {
    this.#pieces.push({ offset, length, kind })
    this.#refs.push(ref)
    return ref
  }

  /** Hands it over; it must not be touched again. @param onIds - called when the refs have their ids */
  submit(pool: SealPool, onIds: () => void): void {
    const refs = this.#refs
    pool.submit(this.memory, this.#pieces, (ids) => {
      for (const [i, ref] of refs.entries()) ref.id = ids[i]
      onIds()
    })
  }
}

import { CHUNK_ID_BYTES } from './chunk-codec.ts'

/** Bytes of one extent as it is kept in memory and in the local state: chunk id, u32 offset, u32 length. */
const EXTENT_BYTES = CHUNK_ID_BYTES + 8

/**
 * A file's extents in order, packed: a file of a terabyte has a million, too many for an object each.
 * Each is a chunk id and which of its plain bytes belong to the file.
 */
export class Extents {
  #bytes: Buffer
  #count = 0

  constructor(bytes?: Uint8Array) {
    this.#bytes = bytes
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      : Buffer.allocUnsafe(EXTENT_BYTES)
    this.#count = bytes ? Math.floor(bytes.length / EXTENT_BYTES) : 0
  }

  get count(): number {
    return this.#count
  }

  /** The packed form, valid until the next `add`. */
  get packed(): Buffer {
    return this.#bytes.subarray(0, this.#count * EXTENT_BYTES)
  }

  clear(): void {
    this.#count = 0
  }

  add(id: Uint8Array, offset: number, length: number): void {
    const at = this.#count * EXTENT_BYTES
    if (at + EXTENT_BYTES > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(this.#bytes.length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(id, at)
    this.#bytes.writeUInt32LE(offset, at + CHUNK_ID_BYTES)
    this.#bytes.writeUInt32LE(length, at + CHUNK_ID_BYTES + 4)
    this.#count++
  }

  id(i: number): Buffer {
    return this.#bytes.subarray(i * EXTENT_BYTES, i * EXTENT_BYTES + CHUNK_ID_BYTES)
  }

  offset(i: number): number {
    return this.#bytes.readUInt32LE(i * EXTENT_BYTES + CHUNK_ID_BYTES)
  }

  length(i: number): number {
    return this.#bytes.readUInt32LE(i * EXTENT_BYTES + CHUNK_ID_BYTES + 4)
  }
}

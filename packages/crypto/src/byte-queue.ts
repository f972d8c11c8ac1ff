/** Bytes that come in pieces of any size and are taken out in pieces of another. */
export class ByteQueue {
  #pieces: Uint8Array[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pieces.push(bytes)
    this.#length += bytes.length
  }

  /** Takes exactly so many bytes out. @throws RangeError when there are fewer */
  take(length: number): Uint8Array {
    if (length > this.#length) throw new RangeError(`${length} bytes wanted, ${this.#length} there`)
    this.#length -= length
    const first = this.#pieces[0]
    if (first && first.length >= length) {
      if (first.length === length) this.#pieces.shift()
      else this.#pieces[0] = first.subarray(length)
      return first.subarray(0, length)
    }
    const all = Buffer.concat(this.#pieces)
    const rest = all.subarray(length)
    this.#pieces = rest.length > 0 ? [rest] : []
    return all.subarray(0, length)
  }
}

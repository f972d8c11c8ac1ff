/** Keeps what was used last, up to so many bytes. */
export class ByteCache {
  readonly #maxBytes: number
  readonly #items = new Map<string, Uint8Array>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(key: string): Uint8Array | undefined {
    const item = this.#items.get(key)
    if (item) {
      this.#items.delete(key)
      this.#items.set(key, item)
    }
    return item
  }

  set(key: string, item: Uint8Array): void {
    this.delete(key)
    this.#items.set(key, item)
    this.#bytes += item.length
    for (const [oldest, { length }] of this.#items) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break
      this.#items.delete(oldest)
      this.#bytes -= length
    }
  }

  delete(key: string): void {
    const item = this.#items.get(key)
    if (!item) return
    this.#items.delete(key)
    this.#bytes -= item.length
  }
}

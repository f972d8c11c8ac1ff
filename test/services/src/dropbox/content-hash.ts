import { createHash, type Hash } from 'node:crypto'

const BLOCK_BYTES = 4 * 1024 * 1024

/** Dropbox's content hash: SHA-256 of the SHA-256s of the blocks of 4 MiB. https://www.dropbox.com/developers/reference/content-hash */
export class ContentHash {
  readonly #blocks: Hash
  #block: Hash
  #inBlock: number

  constructor(blocks: Hash = createHash('sha256'), block: Hash = createHash('sha256'), inBlock = 0) {
    this.#blocks = blocks
    this.#block = block
    this.#inBlock = inBlock
  }

  update(bytes: Uint8Array): this {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.#inBlock)
      this.#block.update(part)
      this.#inBlock += part.length
      at += part.length
      if (this.#inBlock === BLOCK_BYTES) {
        this.#blocks.update(this.#block.digest())
        this.#block = createHash('sha256')
        this.#inBlock = 0
      }
    }
    return this
  }

  copy(): ContentHash {
    return new ContentHash(this.#blocks.copy(), this.#block.copy(), this.#inBlock)
  }

  /** In hex, of all so far; more can follow. */
  digest(): string {
    const blocks = this.#blocks.copy()
    if (this.#inBlock > 0) blocks.update(this.#block.copy().digest())
    return blocks.digest('hex')
  }
}

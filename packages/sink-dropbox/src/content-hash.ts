import { createHash, hash } from 'node:crypto'

/** The blocks that Dropbox hashes one by one. */
export const BLOCK_BYTES: number = 4 * 1024 * 1024

/**
 * Dropbox's content hash of bytes that come in pieces: the SHA-256 of the SHA-256s of all blocks of 4 MiB.
 * @see https://www.dropbox.com/developers/reference/content-hash
 */
export class ContentHash {
  readonly #blocks = createHash('sha256')
  #block = createHash('sha256')
  #inBlock = 0

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.#inBlock)
      this.#block.update(part)
      this.#inBlock += part.length
      at += part.length
      if (this.#inBlock === BLOCK_BYTES) this.#closeBlock()
    }
  }

  /** In hex. Nothing can follow. */
  digest(): string {
    if (this.#inBlock > 0) this.#closeBlock()
    return this.#blocks.digest('hex')
  }

  #closeBlock(): void {
    this.#blocks.update(this.#block.digest())
    this.#block = createHash('sha256')
    this.#inBlock = 0
  }
}

/** The SHA-256s of the blocks, one after the other: hashed again they are the content hash. */
export function blockHashes(bytes: Uint8Array): Uint8Array {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES)
    hashes.push(hash('sha256', bytes.subarray(at, at + BLOCK_BYTES), 'buffer'))
  return Buffer.concat(hashes)
}

/** Of bytes that are all there, in hex. */
export function contentHash(bytes: Uint8Array): string {
  return hash('sha256', blockHashes(bytes))
}

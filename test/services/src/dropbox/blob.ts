import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { routeError, tagged } from './api-error.ts'
import { ContentHash } from './content-hash.ts'

const MAX_BYTES_OF_A_REQUEST = 150 * 1024 * 1024

/** Bytes on the disk, with their content hash; they only ever grow. */
export class Blob {
  readonly path: string
  size = 0
  #hash = new ContentHash()

  constructor(path: string) {
    this.path = path
  }

  get hash(): string {
    return this.#hash.digest()
  }

  /**
   * Adds a request's body, all of it or nothing.
   * @param expected - the content hash that the client says this body has
   * @throws ApiError `payload_too_large`, `content_hash_mismatch`
   */
  async append(body: AsyncIterable<Uint8Array>, expected: string | undefined): Promise<void> {
    const whole = this.#hash.copy()
    const piece = this.size === 0 ? whole : new ContentHash()
    let length = 0
    const file = openSync(this.path, this.size === 0 ? 'w' : 'r+', 0o600)
    try {
      for await (const bytes of body) {
        if (length + bytes.length > MAX_BYTES_OF_A_REQUEST) throw routeError(tagged('payload_too_large'))
        writeSync(file, bytes, 0, bytes.length, this.size + length)
        whole.update(bytes)
        if (piece !== whole) piece.update(bytes)
        length += bytes.length
      }
    } finally {
      closeSync(file)
    }
    if (expected !== undefined && expected !== piece.digest())
      throw routeError(tagged('content_hash_mismatch'))
    this.#hash = whole
    this.size += length
  }

  discard(): void {
    rmSync(this.path, { force: true })
  }
}

import { hash } from 'node:crypto'

const HASH_BYTES = 16
const key = Buffer.alloc(HASH_BYTES)

/** Keyed hashes of one source's paths: they name files without telling what they are called. */
export class PathHash {
  readonly #prefixBytes: number
  #bytes: Buffer

  /** @param pathKey - 32 bytes @param source - the source's name */
  constructor(pathKey: Uint8Array, source: string) {
    const prefix = Buffer.concat([pathKey, Buffer.from(`${source}\0`)])
    this.#prefixBytes = prefix.length
    this.#bytes = Buffer.alloc(prefix.length + 4096)
    this.#bytes.set(prefix)
  }

  /** 16 bytes, one character each: a string is a third of the memory that a Buffer takes. */
  of(path: Uint8Array): string {
    const bytes = this.#prefixBytes + path.length
    if (this.#bytes.length < bytes) this.#bytes = Buffer.concat([this.#bytes], bytes * 2)
    this.#bytes.set(path, this.#prefixBytes)
    return hash('sha256', this.#bytes.subarray(0, bytes), 'binary').slice(0, HASH_BYTES)
  }
}

/** The hash as bytes, valid until the next call. */
export function stateKey(pathHash: string): Uint8Array {
  key.write(pathHash, 'latin1')
  return key
}

/** The first 32 bits, little-endian. */
export function leadOf(pathHash: string): number {
  stateKey(pathHash)
  return key.readUInt32LE(0)
}

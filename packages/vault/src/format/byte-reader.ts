import { VaultError } from '../vault-error.ts'

/**
 * Takes integers and bytes, in the encodings of docs/format.md section 1, from bytes that have been authenticated.
 * Every method throws VaultError `corrupt` rather than read past the end.
 */
export class ByteReader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  /** @param what - what is being read, for the error */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#what = what
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  get position(): number {
    return this.#at
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1))
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4))
  }

  uvarint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 9; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      factor *= 0x80
    }
    throw this.#corrupt('a number is too large')
  }

  svarint(): number {
    const value = this.uvarint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    const from = this.#advance(length)
    return this.#bytes.subarray(from, from + length)
  }

  bytes(): Buffer {
    return this.raw(this.uvarint())
  }

  text(): string {
    return this.bytes().toString()
  }

  /** A count of things that take at least `minBytes` each: never more than can be there. */
  count(minBytes: number): number {
    return this.checkCount(this.uvarint(), minBytes)
  }

  checkCount(count: number, minBytes: number): number {
    if (count * minBytes > this.remaining) throw this.#corrupt('a count does not fit')
    return count
  }

  end(): void {
    if (this.remaining !== 0) throw this.#corrupt(`${this.remaining} bytes too many`)
  }

  #advance(length: number): number {
    if (length > this.remaining) throw this.#corrupt('it ends too early')
    const from = this.#at
    this.#at += length
    return from
  }

  #corrupt(why: string): VaultError {
    return new VaultError('corrupt', `${this.#what} is damaged: ${why}`)
  }
}

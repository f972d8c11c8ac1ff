import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CHUNK_OVERHEAD_BYTES, type ChunkKind, sealChunk } from '../format/chunk-codec.ts'
import { encodeFooterContent, footerBytes, type PackChunk, writePackFooter } from '../format/pack-format.ts'
import type { SealingHost } from '../format/sealed-object.ts'
import { provePack } from './prove-pack.ts'

export interface PackKeys {
  readonly runKey: Uint8Array
  readonly idKey: Uint8Array
  readonly nodeIdKey: Uint8Array
  readonly host: SealingHost
}

/** A pack that is finished, proven, and ready for the sinks. */
export interface FinishedPack {
  /** SHA-256, hex. */
  readonly name: string
  readonly buffer: ArrayBuffer
  readonly length: number
  /** CRC-32 of the bytes that were proven: a bit that flips in memory while they wait for a sink is seen by it. */
  readonly crc: number
  /** The footer's content. */
  readonly footer: Uint8Array
}

/** A pack that is being filled, as far as it has come: nothing yet, with the length 0. Another thread can go on with it. */
export interface UnfinishedPack {
  readonly buffer: ArrayBuffer
  readonly length: number
  readonly chunks: readonly PackChunk[]
}

/** Fills one pack in memory that is handed in and, when finished, handed out again. */
export class PackWriter {
  readonly #keys: PackKeys
  readonly #header: Uint8Array
  readonly #hostId: Uint8Array
  readonly #pack: Uint8Array
  readonly #chunks: PackChunk[]
  #at: number

  constructor(keys: PackKeys, header: Uint8Array, hostId: Uint8Array, pack: UnfinishedPack) {
    this.#keys = keys
    this.#header = header
    this.#hostId = hostId
    this.#pack = new Uint8Array(pack.buffer)
    if (pack.length === 0) this.#pack.set(header)
    this.#at = Math.max(pack.length, header.length)
    this.#chunks = [...pack.chunks]
  }

  /** How far it has come. What it is given afterwards is not in it. */
  unfinished(): UnfinishedPack {
    return { buffer: this.#pack.buffer as ArrayBuffer, length: this.#at, chunks: this.#chunks }
  }

  get length(): number {
    return this.#at
  }

  get chunks(): number {
    return this.#chunks.length
  }

  hasRoomFor(rawBytes: number): boolean {
    return (
      this.#at + rawBytes + CHUNK_OVERHEAD_BYTES + footerBytes(this.#chunks.length + 1) <= this.#pack.length
    )
  }

  add(kind: ChunkKind, id: Uint8Array, plain: Uint8Array): void {
    const length = sealChunk(this.#keys.runKey, kind, id, plain, this.#pack, this.#at)
    this.#chunks.push({
      kind,
      runKey: 0,
      offset: this.#at,
      length,
      rawLength: plain.length,
      id: Uint8Array.from(id),
    })
    this.#at += length
  }

  /**
   * Seals the footer, and opens everything again: a bit that flipped in memory must not get into all the copies at once.
   * @throws VaultError `fault` when the pack does not open to what went in
   */
  finish(): FinishedPack {
    const footer = Uint8Array.from(encodeFooterContent({ hostId: this.#hostId, chunks: this.#chunks }))
    const length = writePackFooter(this.#keys.host, this.#header, footer, this.#pack, this.#at)
    const pack = this.#pack.subarray(0, length)
    // First: what flips between this and the proof is found by the proof.
    const crc = crc32(pack)
    const name = createHash('sha256').update(pack).digest('hex')
    const ids = this.#chunks.map(({ id }) => id)
    provePack(this.#keys, this.#header, ids, pack)
    return { name, buffer: this.#pack.buffer as ArrayBuffer, length, crc, footer }
  }
}

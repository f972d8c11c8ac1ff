import { createHash } from 'node:crypto'
import type { ObjectKeys } from '@pipe-backup/crypto'
import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  encodeFooterContent,
  encodePackHeader,
  footerBytes,
  openFooter,
  PACK_END_BYTES,
  type PackChunk,
  packKey,
  type SealedRunKey,
  writePackFooter,
} from '../format/pack-format.ts'
import type { SealingHost } from '../format/sealed-object.ts'
import { NODE_PACK_BYTES, PACK_BYTES } from '../seal/open-packs.ts'
import { VaultError } from '../vault-error.ts'

/** A pack made of others' chunks. */
export interface MovedPack {
  readonly name: string
  readonly bytes: Uint8Array
  /** The footer's content. */
  readonly footer: Uint8Array
  /** For each of its chunks, the pack it comes from and its location there. */
  readonly origins: readonly { readonly from: string; readonly index: number }[]
}

interface Taken {
  readonly from: string
  readonly index: number
  readonly chunk: PackChunk
  readonly runKeyId: string
  readonly sealed: Uint8Array
}

/** Most run keys that a pack's header gets: each costs a hundred bytes, and a reader one box to open. */
const MAX_RUN_KEYS = 256

/** Makes packs out of sealed chunks as they are. */
export class Repacker {
  readonly #host: SealingHost
  readonly #hostId: Uint8Array
  readonly #fullBytes: number
  #taken: Taken[] = []
  #runKeys = new Map<string, SealedRunKey>()
  #bytes = 0

  constructor(host: SealingHost, hostId: Uint8Array, kind: 'data' | 'nodes') {
    this.#host = host
    this.#hostId = hostId
    this.#fullBytes = kind === 'data' ? PACK_BYTES : NODE_PACK_BYTES
  }

  /**
   * Takes the live chunks of a pack.
   * @param pack - proven to be what its name says
   * @returns packs that are full @throws VaultError `corrupt`
   */
  *add(name: string, pack: Uint8Array, live: ReadonlySet<number>): Generator<MovedPack> {
    const { runKeys, length } = decodePackHeader(pack)
    const { chunks } = footerOf(this.#host.keys, name, pack, length)
    const wanted = [...live].map((index) => {
      const chunk = chunks[index]
      const runKey = chunk && runKeys[chunk.runKey]
      if (chunk && runKey) return { index, chunk, runKey }
      throw new VaultError(
        'corrupt',
        `${packKey(name)} lacks a chunk that a snapshot needs: it is left as it is`,
      )
    })
    // Not before all of them are known to be there: a pack is moved whole, or not at all.
    for (const { index, chunk, runKey } of wanted) {
      const id = Buffer.from(runKey.id).toString('hex')
      if (this.#isFull(chunk.length, id)) {
        const full = this.finish()
        if (full) yield full
      }
      this.#runKeys.set(id, runKey)
      // A copy: the pack's memory is not kept for a few of its chunks.
      const sealed = Uint8Array.from(pack.subarray(chunk.offset, chunk.offset + chunk.length))
      this.#taken.push({ from: name, index, chunk, runKeyId: id, sealed })
      this.#bytes += chunk.length
    }
  }

  /** @returns the pack of what has been taken since the last one, if anything was */
  finish(): MovedPack | undefined {
    if (this.#taken.length === 0) return undefined
    const taken = this.#taken
    const keys = [...this.#runKeys]
    const header = encodePackHeader(keys.map(([, key]) => key))
    const numbers = new Map(keys.map(([id], i) => [id, i]))
    const memory = new Uint8Array(header.length + this.#bytes + footerBytes(taken.length))
    memory.set(header)
    let at = header.length
    const chunks = taken.map(({ chunk, sealed, runKeyId }): PackChunk => {
      memory.set(sealed, at)
      const moved = { ...chunk, runKey: numbers.get(runKeyId) ?? 0, offset: at }
      at += sealed.length
      return moved
    })
    const footer = Uint8Array.from(encodeFooterContent({ hostId: this.#hostId, chunks }))
    const length = writePackFooter(this.#host, header, footer, memory, at)
    const bytes = memory.subarray(0, length)
    const name = createHash('sha256').update(bytes).digest('hex')
    this.#prove(name, bytes, taken)
    this.#taken = []
    this.#runKeys = new Map()
    this.#bytes = 0
    const origins = taken.map(({ from, index }) => ({ from, index }))
    return { name, bytes, footer, origins }
  }

  #isFull(chunkBytes: number, runKey: string): boolean {
    const isNewKey = !this.#runKeys.has(runKey)
    return this.#bytes + chunkBytes > this.#fullBytes || (isNewKey && this.#runKeys.size >= MAX_RUN_KEYS)
  }

  /** Reads the pack from its own bytes, as whoever restores will: a bit that flips here would get into all copies. */
  #prove(name: string, pack: Uint8Array, taken: readonly Taken[]): void {
    const { runKeys, length } = decodePackHeader(pack)
    const { chunks } = footerOf(this.#host.keys, name, pack, length)
    const isRight = taken.every(({ chunk, sealed, runKeyId }, i) => {
      const moved = chunks[i]
      if (!moved || Buffer.compare(moved.id, chunk.id) !== 0) return false
      const key = runKeys[moved.runKey]
      const bytes = pack.subarray(moved.offset, moved.offset + moved.length)
      return key && Buffer.from(key.id).toString('hex') === runKeyId && Buffer.compare(bytes, sealed) === 0
    })
    if (isRight && chunks.length === taken.length) return
    throw new VaultError(
      'fault',
      'a pack that was put together did not read as it should, and was not sent',
      {
        hint: "This machine's memory or processor can't be trusted: test it (memtest) before you rely on its backups.",
      },
    )
  }
}

function footerOf(keys: ObjectKeys, name: string, pack: Uint8Array, headerBytes: number) {
  const endAt = pack.length - PACK_END_BYTES
  const footerAt = endAt - decodePackEnd(pack.subarray(endAt), pack.length)
  const sealed = pack.subarray(footerAt, endAt)
  return decodeFooterContent(openFooter(keys, name, pack.subarray(0, headerBytes), sealed))
}

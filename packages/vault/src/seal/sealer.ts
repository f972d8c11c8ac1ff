import { randomInt } from 'node:crypto'
import { chunkId } from '@pipe-backup/crypto'
import { CHUNK_ID_BYTES, ChunkKind } from '../format/chunk-codec.ts'
import { VaultError } from '../vault-error.ts'
import type { FromSealer, SealerKeys, SlabPiece, ToSealer } from './messages.ts'
import { NODE_PACK_BYTES, OPEN_PACKS, PACK_BYTES } from './open-packs.ts'
import { PackWriter, type UnfinishedPack } from './pack-writer.ts'

interface HashedSlab {
  readonly memory: ArrayBuffer
  readonly pieces: readonly SlabPiece[]
  readonly ids: Uint8Array
}

/** How far a sealer has come with a pack, for another that goes on. */
export interface OpenPack {
  /** What the pack is of: data, or manifest nodes. */
  readonly isData: boolean
  readonly pack: UnfinishedPack
}

/** Hashes the pieces of slabs, compresses and seals those that are wanted, and fills packs with them. */
export class Sealer {
  readonly #keys: SealerKeys
  readonly #send: (message: FromSealer, transfer: ArrayBuffer[]) => void
  readonly #slabs = new Map<number, HashedSlab>()
  readonly #free = new Map<number, ArrayBuffer[]>([
    [PACK_BYTES, []],
    [NODE_PACK_BYTES, []],
  ])
  readonly #dataPacks: (PackWriter | undefined)[] = Array.from({ length: OPEN_PACKS })
  #nodePack: PackWriter | undefined

  /** @param send - gets the answers, and what memory goes with them */
  constructor(keys: SealerKeys, send: (message: FromSealer, transfer: ArrayBuffer[]) => void) {
    this.#keys = keys
    this.#send = send
  }

  /** Does what the message asks for. What fails as it may is answered with `failed`; a bug is thrown. */
  handle(message: ToSealer): void {
    try {
      this.#handle(message)
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      const { code, message: text, hint } = error
      this.#send({ type: 'failed', code, message: text, ...(hint && { hint }) }, [])
    }
  }

  /** Gives up its open packs, for another to go on with, and what memory it has. */
  release(): readonly OpenPack[] {
    const open = [
      ...this.#dataPacks.map((pack) => ({ isData: true, pack })),
      { isData: false, pack: this.#nodePack },
    ]
    this.#dataPacks.fill(undefined)
    this.#nodePack = undefined
    for (const buffers of this.#free.values()) buffers.length = 0
    return open.flatMap(({ isData, pack }) => (pack ? [{ isData, pack: pack.unfinished() }] : []))
  }

  #handle(message: ToSealer): void {
    switch (message.type) {
      case 'hash': {
        const { slab, memory, pieces } = message
        const ids = new Uint8Array(pieces.length * CHUNK_ID_BYTES)
        for (const [i, piece] of pieces.entries()) {
          const key = piece.kind === ChunkKind.data ? this.#keys.idKey : this.#keys.nodeIdKey
          ids.set(chunkId(key, new Uint8Array(memory, piece.offset, piece.length)), i * CHUNK_ID_BYTES)
        }
        this.#slabs.set(slab, { memory, pieces, ids })
        this.#send({ type: 'ids', slab, ids }, [])
        break
      }
      case 'seal': {
        const slab = this.#slabs.get(message.slab)
        if (!slab) throw new Error(`no slab ${message.slab}`)
        this.#slabs.delete(message.slab)
        for (const i of message.wanted) {
          const piece = slab.pieces[i]
          if (!piece) throw new Error(`no piece ${i} in slab ${message.slab}`)
          this.#seal(piece, slab.ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES), slab.memory)
        }
        this.#send({ type: 'slab', slab: message.slab, memory: slab.memory }, [slab.memory])
        break
      }
      case 'recycle':
        this.#free.get(message.buffer.byteLength)?.push(message.buffer)
        break
      case 'adopt':
        for (const open of message.packs) this.#adopt(open)
        break
      case 'flush':
        for (const [i, pack] of this.#dataPacks.entries()) if (pack) this.#dataPacks[i] = this.#finish(pack)
        if (this.#nodePack) this.#nodePack = this.#finish(this.#nodePack)
        this.#send({ type: 'flushed' }, [])
        break
    }
  }

  #seal(piece: SlabPiece, id: Uint8Array, memory: ArrayBuffer): void {
    const plain = new Uint8Array(memory, piece.offset, piece.length)
    const i = randomInt(OPEN_PACKS)
    let pack: PackWriter
    if (piece.kind === ChunkKind.data)
      pack = this.#dataPacks[i] = this.#withRoom(this.#dataPacks[i], plain.length, PACK_BYTES)
    else pack = this.#nodePack = this.#withRoom(this.#nodePack, plain.length, NODE_PACK_BYTES)
    pack.add(piece.kind, id, plain)
  }

  #adopt({ isData, pack: unfinished }: OpenPack): void {
    const { header, hostId } = this.#keys
    const pack = new PackWriter(this.#keys, header, hostId, unfinished)
    const i = this.#dataPacks.indexOf(undefined)
    if (!isData && !this.#nodePack) this.#nodePack = pack
    else if (isData && i >= 0) this.#dataPacks[i] = pack
    else this.#finish(pack)
  }

  /** The pack, or a new one when it is too full for so many bytes. */
  #withRoom(pack: PackWriter | undefined, plainBytes: number, bytes: number): PackWriter {
    if (pack?.hasRoomFor(plainBytes)) return pack
    if (pack) this.#finish(pack)
    const { header, hostId } = this.#keys
    const buffer = this.#free.get(bytes)?.pop() ?? new ArrayBuffer(bytes)
    return new PackWriter(this.#keys, header, hostId, { buffer, length: 0, chunks: [] })
  }

  #finish(writer: PackWriter): undefined {
    const pack = writer.finish()
    this.#send({ type: 'pack', pack }, [pack.buffer])
    return undefined
  }
}

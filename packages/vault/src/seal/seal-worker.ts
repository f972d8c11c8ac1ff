import { randomInt } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { chunkId } from '@pipe-backup/crypto'
import { CHUNK_ID_BYTES, ChunkKind } from '../chunk-codec.ts'
import { VaultError } from '../vault-error.ts'
import type { FromWorker, SealWorkerData, SlabPiece, ToWorker } from './messages.ts'
import { NODE_PACK_BYTES, OPEN_PACKS, PACK_BYTES } from './open-packs.ts'
import { PackWriter } from './pack-writer.ts'

if (!parentPort) throw new Error('the seal worker runs in a worker thread')
const port = parentPort
const keys = workerData as SealWorkerData
const slabs = new Map<number, { memory: ArrayBuffer; pieces: readonly SlabPiece[]; ids: Uint8Array }>()
const free = new Map<number, ArrayBuffer[]>([
  [PACK_BYTES, []],
  [NODE_PACK_BYTES, []],
])
const dataPacks: (PackWriter | undefined)[] = Array.from({ length: OPEN_PACKS })
let nodePack: PackWriter | undefined

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

function newPack(bytes: number): PackWriter {
  return new PackWriter(keys, keys.header, keys.hostId, free.get(bytes)?.pop() ?? new ArrayBuffer(bytes))
}

/** The pack, or a new one when it is too full for so many bytes. */
function withRoom(pack: PackWriter | undefined, plainBytes: number, bytes: number): PackWriter {
  if (pack?.hasRoomFor(plainBytes)) return pack
  if (pack) finish(pack)
  return newPack(bytes)
}

function finish(writer: PackWriter): undefined {
  const pack = writer.finish()
  send({ type: 'pack', pack }, [pack.buffer])
  return undefined
}

function seal(piece: SlabPiece, id: Uint8Array, memory: ArrayBuffer): void {
  const plain = new Uint8Array(memory, piece.offset, piece.length)
  const i = randomInt(OPEN_PACKS)
  let pack: PackWriter
  if (piece.kind === ChunkKind.data) pack = dataPacks[i] = withRoom(dataPacks[i], plain.length, PACK_BYTES)
  else pack = nodePack = withRoom(nodePack, plain.length, NODE_PACK_BYTES)
  pack.add(piece.kind, id, plain)
}

function handle(message: ToWorker): void {
  switch (message.type) {
    case 'hash': {
      const { slab, memory, pieces } = message
      const ids = new Uint8Array(pieces.length * CHUNK_ID_BYTES)
      for (const [i, piece] of pieces.entries()) {
        const key = piece.kind === ChunkKind.data ? keys.idKey : keys.nodeIdKey
        ids.set(chunkId(key, new Uint8Array(memory, piece.offset, piece.length)), i * CHUNK_ID_BYTES)
      }
      slabs.set(slab, { memory, pieces, ids })
      send({ type: 'ids', slab, ids })
      break
    }
    case 'seal': {
      const slab = slabs.get(message.slab)
      if (!slab) throw new Error(`no slab ${message.slab}`)
      slabs.delete(message.slab)
      for (const i of message.wanted) {
        const piece = slab.pieces[i]
        if (!piece) throw new Error(`no piece ${i} in slab ${message.slab}`)
        seal(piece, slab.ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES), slab.memory)
      }
      send({ type: 'slab', slab: message.slab, memory: slab.memory }, [slab.memory])
      break
    }
    case 'recycle':
      free.get(message.buffer.byteLength)?.push(message.buffer)
      break
    case 'flush':
      for (const [i, pack] of dataPacks.entries()) if (pack) dataPacks[i] = finish(pack)
      if (nodePack) nodePack = finish(nodePack)
      send({ type: 'flushed' })
      break
  }
}

port.on('message', (message: ToWorker) => {
  try {
    handle(message)
  } catch (error) {
    if (error instanceof VaultError) {
      send({
        type: 'failed',
        code: error.code,
        message: error.message,
        ...(error.hint && { hint: error.hint }),
      })
    } else throw error
  }
})

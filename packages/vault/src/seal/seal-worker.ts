import { randomInt } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { chunkId } from '@pipe-backup/crypto'
import { CHUNK_ID_BYTES, ChunkKind } from '../chunk-codec.ts'
import { VaultError } from '../vault-error.ts'
import type { FromWorker, SealWorkerData, SlabPiece, ToWorker } from './messages.ts'
import { NODE_PACK_BYTES, OPEN_PACKS } from './open-packs.ts'
import { PackWriter } from './pack-writer.ts'

if (!parentPort) throw new Error('the seal worker runs in a worker thread')
const port = parentPort
const keys = workerData as SealWorkerData
const slabs = new Map<number, { memory: ArrayBuffer; pieces: readonly SlabPiece[]; ids: Uint8Array }>()
const free: ArrayBuffer[] = []
const dataPacks: (PackWriter | undefined)[] = Array.from({ length: OPEN_PACKS })
let nodePack: PackWriter | undefined

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

function newPack(): PackWriter {
  return new PackWriter(keys, keys.header, keys.hostId, free.pop() ?? new ArrayBuffer(keys.bufferBytes))
}

function finish(writer: PackWriter): undefined {
  const pack = writer.finish()
  send({ type: 'pack', pack }, [pack.buffer])
  return undefined
}

function seal(piece: SlabPiece, id: Uint8Array, memory: ArrayBuffer): void {
  const plain = new Uint8Array(memory, piece.offset, piece.length)
  if (piece.kind !== ChunkKind.data) {
    if (nodePack && !nodePack.hasRoomFor(plain.length)) nodePack = finish(nodePack)
    nodePack ??= newPack()
    nodePack.add(piece.kind, id, plain)
    if (nodePack.length >= NODE_PACK_BYTES) nodePack = finish(nodePack)
    return
  }
  const i = randomInt(OPEN_PACKS)
  let pack = dataPacks[i]
  if (pack && !pack.hasRoomFor(plain.length)) pack = finish(pack)
  pack ??= newPack()
  pack.add(piece.kind, id, plain)
  dataPacks[i] = pack.length >= keys.packBytes ? finish(pack) : pack
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
      free.push(message.buffer)
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

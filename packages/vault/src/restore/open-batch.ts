import { chunkId } from '@pipe-backup/crypto'
import { discard } from '../discard.ts'
import { ChunkKind, unsealChunk } from '../format/chunk-codec.ts'
import type { Batch, OpenerStart } from './open-messages.ts'

/** For one chunk after the other: new memory for each would cost more than the decryption. */
let scratch = Buffer.allocUnsafeSlow(0)

type IdKeys = Pick<OpenerStart, 'idKey' | 'nodeIdKey'>

/**
 * Opens the chunks of a batch that no other thread has begun with.
 * @returns which of them are there, proven by their ids: what does not open is left to who can ask another sink for it
 */
export function openBatch(keys: IdKeys, batch: Batch): readonly boolean[] {
  return batch.pieces.map((_, i) => openPiece(keys, batch, i) === true)
}

/** Opens one chunk of a batch. @returns whether it is there; undefined where another thread has begun with it */
export function openPiece(keys: IdKeys, batch: Batch, i: number): boolean | undefined {
  if (Atomics.compareExchange(batch.begun, i, 0, 1) !== 0) return undefined
  try {
    return openInto(keys, batch, i)
  } catch {
    return false
  }
}

function openInto({ idKey, nodeIdKey }: IdKeys, { pieces, sealed, plain: out }: Batch, i: number): boolean {
  const piece = pieces[i]
  if (!piece) return false
  const { runKey, chunk, from, to } = piece
  if (scratch.length < chunk.length) scratch = Buffer.allocUnsafeSlow(chunk.length)
  const bytes = new Uint8Array(sealed, from, chunk.length)
  const plain = unsealChunk(runKey, chunk.kind, chunk.id, bytes, chunk.rawLength, scratch)
  const key = chunk.kind === ChunkKind.data ? idKey : nodeIdKey
  const proven = Buffer.compare(chunkId(key, plain), chunk.id) === 0
  if (proven && out) new Uint8Array(out).set(plain, to)
  if (plain.buffer !== scratch.buffer) discard(plain)
  return proven
}

import { copyBytes } from '../copy-bytes.ts'
import { type IdKeys, proveChunk } from '../format/prove-chunk.ts'
import type { Batch } from './open-messages.ts'

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

function openInto(keys: IdKeys, { pieces, sealed, plain: out }: Batch, i: number): boolean {
  const piece = pieces[i]
  if (!piece) return false
  const { runKey, chunk, from, to } = piece
  const into = out && new Uint8Array(out)
  return proveChunk(keys, runKey, chunk, new Uint8Array(sealed, from, chunk.length), (plain) => {
    if (into) copyBytes(plain, into, to)
  })
}

import { chunkId } from '@pipe-backup/crypto'
import { discard } from '../discard.ts'
import { ChunkKind, unsealChunk } from './chunk-codec.ts'
import type { PackChunk } from './pack-format.ts'

/** What ids are made with: of data, and of nodes. */
export interface IdKeys {
  readonly idKey: Uint8Array
  readonly nodeIdKey: Uint8Array
}

/** For one chunk after the other: new memory for each would cost more than the decryption. */
let scratch = Buffer.allocUnsafeSlow(0)

/**
 * Opens a sealed chunk in memory that is used again, and compares its id.
 * @param use - called with the plain bytes of a chunk that is what its id says; they are valid until it returns
 * @returns whether it is that
 * @throws as `unsealChunk`
 */
export function proveChunk(
  { idKey, nodeIdKey }: IdKeys,
  runKey: Uint8Array,
  chunk: Pick<PackChunk, 'kind' | 'id' | 'length' | 'rawLength'>,
  sealed: Uint8Array,
  use?: (plain: Uint8Array) => void,
): boolean {
  if (scratch.length < chunk.length) scratch = Buffer.allocUnsafeSlow(chunk.length)
  const plain = unsealChunk(runKey, chunk.kind, chunk.id, sealed, chunk.rawLength, scratch)
  const key = chunk.kind === ChunkKind.data ? idKey : nodeIdKey
  const isRight = Buffer.compare(chunkId(key, plain), chunk.id) === 0
  if (isRight) use?.(plain)
  if (plain.buffer !== scratch.buffer) discard(plain)
  return isRight
}

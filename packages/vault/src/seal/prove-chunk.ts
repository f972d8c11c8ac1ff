import { chunkId } from '@pipe-backup/crypto'
import { ChunkKind, unsealChunk } from '../chunk-codec.ts'
import { discard } from '../discard.ts'
import type { PackChunk } from '../pack-format.ts'
import { VaultError } from '../vault-error.ts'
import type { PackKeys } from './pack-writer.ts'

/** For one chunk after the other: new memory for each would cost more than the decryption. */
let scratch = Buffer.allocUnsafeSlow(0)

/**
 * Opens a chunk of a pack that was just sealed, and compares its id.
 * @throws VaultError `fault`
 */
export function proveChunk(keys: PackKeys, chunk: PackChunk, pack: Uint8Array): void {
  if (scratch.length < chunk.length) scratch = Buffer.allocUnsafeSlow(chunk.length)
  try {
    const sealed = pack.subarray(chunk.offset, chunk.offset + chunk.length)
    const plain = unsealChunk(keys.runKey, chunk.kind, chunk.id, sealed, chunk.rawLength, scratch)
    const key = chunk.kind === ChunkKind.data ? keys.idKey : keys.nodeIdKey
    const proven = Buffer.compare(chunkId(key, plain), chunk.id) === 0
    if (plain.buffer !== scratch.buffer) discard(plain)
    if (proven) return
  } catch (cause) {
    throw fault(cause)
  }
  throw fault()
}

function fault(cause?: unknown): VaultError {
  return new VaultError('fault', 'a pack did not open again after it was sealed, and was not sent', {
    hint: "This machine's memory or processor can't be trusted: test it (memtest) before you rely on its backups.",
    cause,
  })
}

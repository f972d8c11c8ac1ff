import { createHmac } from 'node:crypto'

/** The id of a chunk: HMAC-SHA-256 of its plain bytes. @param idKey - 32 bytes @returns 32 bytes */
export function chunkId(idKey: Uint8Array, plain: Uint8Array): Uint8Array {
  return createHmac('sha256', idKey).update(plain).digest()
}

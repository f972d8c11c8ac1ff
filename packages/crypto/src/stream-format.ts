import { createHash } from 'node:crypto'

/** The container of `encrypt()`; see README.md. */
export const MAGIC: Buffer = Buffer.from('PBCRYPT\x01', 'latin1')
export const SEALED_KEY_BYTES = 80
export const PIECE_BYTES: number = 64 * 1024
/** What secretstream adds to each message: a tag byte and a MAC. */
export const PIECE_OVERHEAD_BYTES = 17
export const MAX_RECIPIENTS = 1024
/** A label's length is one byte. */
export const MAX_LABEL_BYTES = 255

/** Binds the header to the first message: with another one the stream does not open. */
export function headerDigest(header: Uint8Array): Uint8Array {
  return createHash('sha256').update(header).digest()
}

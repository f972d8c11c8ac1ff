import type { SinkOptions } from './sink.ts'

const PIECE_BYTES = 256 * 1024

/** The bytes in pieces, each shown to `onBytes` before it goes out: a request's body that can be watched and slowed down. */
export async function* pieces(
  bytes: Uint8Array,
  { onBytes, signal }: SinkOptions = {},
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES)
    await onBytes?.(piece.length)
    signal?.throwIfAborted()
    yield piece
  }
}

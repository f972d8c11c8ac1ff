/** A path as text, a character for each byte: what sets and maps find it by. */
export function keyOf(path: Uint8Array): string {
  return Buffer.from(path.buffer, path.byteOffset, path.length).toString('latin1')
}

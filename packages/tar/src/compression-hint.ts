const MAGIC: readonly (readonly [string, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58]],
  ['bzip2', [0x42, 0x5a, 0x68]],
]

/** What to do with bytes that are no tar archive, from the way they begin. */
export function compressionHint(bytes: Uint8Array): string {
  const name = MAGIC.find(([, magic]) => magic.every((byte, i) => bytes[i] === byte))?.[0]
  return name ? `It looks like ${name}: decompress it first.` : 'Is it encrypted, or compressed?'
}

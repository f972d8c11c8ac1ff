/** A path as text, a character for each byte: what sets and maps find it by. */
export function keyOf(path: Uint8Array): string {
  return Buffer.from(path.buffer, path.byteOffset, path.length).toString('latin1')
}

/** The path of these components. */
export function joined(components: readonly Buffer[]): Buffer {
  return Buffer.concat(
    components.flatMap((component, i) => (i === 0 ? [component] : [Buffer.from('/'), component])),
  )
}

/** Bytes in buffers of one size, each new: for who keeps them while the next comes. The last one may be smaller. */
export async function* slabs(pieces: AsyncIterable<Uint8Array>, slabBytes: number): AsyncGenerator<Buffer> {
  let slab: Buffer | undefined
  let filled = 0
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      slab ??= Buffer.allocUnsafeSlow(slabBytes)
      const part = piece.subarray(at, at + slabBytes - filled)
      slab.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < slabBytes) continue
      yield slab
      slab = undefined
      filled = 0
    }
  }
  if (slab) yield slab.subarray(0, filled)
}

import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'

/** Id, and as a little-endian double how many of its bytes. */
const USE_BYTES: number = CHUNK_ID_BYTES + 8

/** Packs which chunks a leaf of the manifest uses, and how many bytes of each. */
export function packUses(uses: Iterable<readonly [id: Uint8Array, usedBytes: number]>): Buffer {
  const all = [...uses]
  const packed = Buffer.allocUnsafe(all.length * USE_BYTES)
  for (const [i, [id, usedBytes]] of all.entries()) {
    packed.set(id, i * USE_BYTES)
    packed.writeDoubleLE(usedBytes, i * USE_BYTES + CHUNK_ID_BYTES)
  }
  return packed
}

/** @param packed - as `packUses` made it */
export function* unpackUses(packed: Buffer): Generator<readonly [id: Buffer, usedBytes: number]> {
  for (let at = 0; at < packed.length; at += USE_BYTES)
    yield [packed.subarray(at, at + CHUNK_ID_BYTES), packed.readDoubleLE(at + CHUNK_ID_BYTES)]
}

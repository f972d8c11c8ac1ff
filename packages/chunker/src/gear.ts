import { createHmac } from 'node:crypto'

/** The table of a gear hash: 256 words that depend on a key. */
export type Gear = Uint32Array

/** @param key - secret; whoever has it can work out where cuts fall */
export function createGear(key: Uint8Array): Gear {
  const gear = new Uint32Array(256)
  for (let block = 0; block < 32; block++) {
    const words = createHmac('sha256', key).update(Uint8Array.of(block)).digest()
    for (let i = 0; i < 8; i++) gear[block * 8 + i] = words.readUInt32LE(i * 4)
  }
  return gear
}

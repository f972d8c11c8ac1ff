const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const

/**
 * HChaCha20: a 32-byte key from a 32-byte key and the first 16 bytes of a nonce.
 * @see draft-irtf-cfrg-xchacha-03, section 2.2
 */
export function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const keyView = new DataView(key.buffer, key.byteOffset, 32)
  const nonceView = new DataView(nonce.buffer, nonce.byteOffset, 16)
  const state = new Uint32Array(16)
  state.set(CONSTANTS)
  for (let i = 0; i < 8; i++) state[4 + i] = keyView.getUint32(i * 4, true)
  for (let i = 0; i < 4; i++) state[12 + i] = nonceView.getUint32(i * 4, true)
  for (let round = 0; round < 10; round++) {
    quarter(state, 0, 4, 8, 12)
    quarter(state, 1, 5, 9, 13)
    quarter(state, 2, 6, 10, 14)
    quarter(state, 3, 7, 11, 15)
    quarter(state, 0, 5, 10, 15)
    quarter(state, 1, 6, 11, 12)
    quarter(state, 2, 7, 8, 13)
    quarter(state, 3, 4, 9, 14)
  }
  const out = new Uint8Array(32)
  const view = new DataView(out.buffer)
  for (let i = 0; i < 4; i++) {
    view.setUint32(i * 4, state[i] ?? 0, true)
    view.setUint32(16 + i * 4, state[12 + i] ?? 0, true)
  }
  return out
}

function quarter(state: Uint32Array, ia: number, ib: number, ic: number, id: number): void {
  let a = state[ia] ?? 0
  let b = state[ib] ?? 0
  let c = state[ic] ?? 0
  let d = state[id] ?? 0
  a = (a + b) | 0
  d = rotate(d ^ a, 16)
  c = (c + d) | 0
  b = rotate(b ^ c, 12)
  a = (a + b) | 0
  d = rotate(d ^ a, 8)
  c = (c + d) | 0
  b = rotate(b ^ c, 7)
  state[ia] = a
  state[ib] = b
  state[ic] = c
  state[id] = d
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

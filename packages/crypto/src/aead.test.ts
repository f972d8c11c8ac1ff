import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, expect, test } from 'vitest'
import { AEAD_OVERHEAD_BYTES, openAead, sealAead, sealAeadWith } from './aead.ts'
import { hchacha20 } from './hchacha20.ts'

beforeAll(() => sodium.ready)

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

test('HChaCha20 gives the bytes of its draft', () => {
  const key = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
  const nonce = hex('000000090000004a0000000031415927')
  expect(Buffer.from(hchacha20(key, nonce)).toString('hex')).toBe(
    '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc',
  )
})

test('what is sealed here is what libsodium seals, byte for byte', () => {
  fc.assert(
    fc.property(
      bytes(32),
      bytes(24),
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 60 }),
      (key, nonce, plain, aad) => {
        const out = new Uint8Array(plain.length + AEAD_OVERHEAD_BYTES)
        sealAeadWith(nonce, key, [plain.subarray(0, 7), plain.subarray(7)], aad, out, 0)
        const theirs = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, null, nonce, key)
        expect(Buffer.from(out).equals(Buffer.concat([nonce, theirs]))).toBe(true)
      },
    ),
  )
})

test('what libsodium seals opens here', () => {
  fc.assert(
    fc.property(bytes(32), bytes(24), fc.uint8Array({ maxLength: 300 }), (key, nonce, plain) => {
      const sealed = Buffer.concat([
        nonce,
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, 'x', null, nonce, key),
      ])
      expect(Buffer.from(openAead(key, sealed, Buffer.from('x'))).equals(plain)).toBe(true)
    }),
  )
})

test('no flipped bit and no missing byte opens', () => {
  const key = new Uint8Array(32).fill(7)
  const plain = new Uint8Array(40).fill(9)
  const sealed = new Uint8Array(plain.length + AEAD_OVERHEAD_BYTES)
  sealAead(key, plain, Buffer.from('aad'), sealed, 0)
  for (let i = 0; i < sealed.length; i++) {
    const flipped = Uint8Array.from(sealed)
    flipped[i] = (flipped[i] ?? 0) ^ 1
    expect(() => openAead(key, flipped, Buffer.from('aad'))).toThrow(
      expect.objectContaining({ code: 'tampered' }),
    )
    const code = i < AEAD_OVERHEAD_BYTES ? 'truncated' : 'tampered'
    expect(() => openAead(key, sealed.subarray(0, i), Buffer.from('aad'))).toThrow(
      expect.objectContaining({ code }),
    )
  }
  expect(() => openAead(key, sealed, Buffer.from('other'))).toThrow(
    expect.objectContaining({ code: 'tampered' }),
  )
})

test('the same bytes sealed twice differ', () => {
  const seals = Array.from({ length: 2000 }, () => {
    const out = new Uint8Array(1 + AEAD_OVERHEAD_BYTES)
    sealAead(new Uint8Array(32), Uint8Array.of(1), new Uint8Array(), out, 0)
    return Buffer.from(out.subarray(0, 24)).toString('hex')
  })
  expect(new Set(seals).size).toBe(seals.length)
})

test('a target that is too short is refused', () => {
  expect(() =>
    sealAead(new Uint8Array(32), new Uint8Array(10), new Uint8Array(), new Uint8Array(49), 0),
  ).toThrow(RangeError)
})

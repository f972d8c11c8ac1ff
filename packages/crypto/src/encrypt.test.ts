import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { decrypt } from './decrypt.ts'
import { encrypt } from './encrypt.ts'
import { deriveKeys, type VaultKeys } from './keys.ts'

let alice: VaultKeys
let bob: VaultKeys
let eve: VaultKeys
beforeAll(async () => {
  ;[alice, bob, eve] = (await Promise.all([1, 2, 3].map((n) => deriveKeys(new Uint8Array(32).fill(n))))) as [
    VaultKeys,
    VaultKeys,
    VaultKeys,
  ]
})

const through = (bytes: Uint8Array, stream: ReturnType<typeof encrypt>, pieceBytes = 40_000) => {
  const pieces = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
  const source = Readable.from(pieces, { objectMode: false })
  source.on('error', () => undefined)
  return buffer(source.compose(stream))
}

test('what goes in comes out, for every recipient and any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(200_000), fc.integer({ min: 1, max: 90_000 }), async (size, pieceBytes) => {
      const plain = Buffer.alloc(size, 'some plain text ')
      const sealed = await through(plain, encrypt([alice.publicKey, bob.publicKey]), pieceBytes)
      expect(sealed.includes('some plain text')).toBe(false)
      expect((await through(sealed, decrypt(alice))).equals(plain)).toBe(true)
      expect((await through(sealed, decrypt(bob), pieceBytes)).equals(plain)).toBe(true)
    }),
    { numRuns: 20 },
  )
})

test.for([0, 1, 65_535, 65_536, 65_537, 131_072])('%i bytes survive, one byte at a time', async (size) => {
  const plain = Buffer.alloc(size, 'x')
  const sealed = await through(plain, encrypt(alice.publicKey))
  expect((await through(sealed, decrypt(alice), size > 1000 ? 997 : 1)).equals(plain)).toBe(true)
})

test('another key opens nothing', async () => {
  const sealed = await through(Buffer.from('secret'), encrypt(alice.publicKey))
  await expect(through(sealed, decrypt(eve))).rejects.toMatchObject({ code: 'wrong-key' })
})

test('every flipped byte is found', async () => {
  const sealed = await through(Buffer.from('a short secret'), encrypt(alice.publicKey))
  for (let i = 0; i < sealed.length; i++) {
    const flipped = Buffer.from(sealed)
    flipped[i] = (flipped[i] ?? 0) ^ 0x40
    await expect(through(flipped, decrypt(alice))).rejects.toMatchObject({ name: 'CryptoError' })
  }
})

test('a stream cut anywhere is found, also between two messages', async () => {
  const sealed = await through(Buffer.alloc(200_000, 'y'), encrypt(alice.publicKey))
  const messages = [114 + 65_553, 114 + 2 * 65_553]
  for (const length of [0, 5, 60, 114, 120, ...messages, sealed.length - 1]) {
    await expect(through(sealed.subarray(0, length), decrypt(alice))).rejects.toMatchObject({
      name: 'CryptoError',
    })
  }
})

test('bytes behind the end are found', async () => {
  const sealed = await through(Buffer.from('secret'), encrypt(alice.publicKey))
  await expect(through(Buffer.concat([sealed, Buffer.of(0)]), decrypt(alice))).rejects.toMatchObject({
    name: 'CryptoError',
  })
})

import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { decrypt, decryptFrom } from './decrypt.ts'
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
  const messages = [115 + 65_553, 115 + 2 * 65_553]
  for (const length of [0, 5, 60, 115, 120, ...messages, sealed.length - 1]) {
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

test('a label is proven, and another one is not taken', async () => {
  const sealed = await through(Buffer.from('secret'), encrypt(alice.publicKey, { label: 'archives/one' }))
  expect(sealed.includes('archives/one')).toBe(true)
  expect(String(await through(sealed, decrypt(alice, { label: 'archives/one' })))).toBe('secret')
  expect(String(await through(sealed, decrypt(alice)))).toBe('secret')
  await expect(through(sealed, decrypt(alice, { label: 'archives/two' }))).rejects.toMatchObject({
    code: 'tampered',
    message: 'this is "archives/one", not archives/two',
  })
  expect(() => encrypt(alice.publicKey, { label: 'x'.repeat(256) })).toThrow(RangeError)
})

test('one copy goes on where another was cut, failed or was damaged, and no byte comes twice', async () => {
  const plain = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
  const sealed = await through(plain, encrypt(alice.publicKey))
  const flip = (at: number) => Buffer.from(sealed.map((byte, i) => (i === at ? byte ^ 1 : byte)))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('cut', 'fail', 'flip'), fc.nat(sealed.length - 1)), { maxLength: 5 }),
      async (faults) => {
        const left = [...faults]
        const offsets: number[] = []
        const opened = decryptFrom(async (offset, error) => {
          offsets.push(offset)
          const fault = left.shift()
          if (error && faults.length === 0) throw error
          if (!fault) return Readable.from([sealed.subarray(offset)], { objectMode: false })
          const [kind, at] = fault
          if (kind === 'flip') return Readable.from([flip(at).subarray(offset)], { objectMode: false })
          return (async function* () {
            for (let from = offset; from < at; from += 10_000)
              yield sealed.subarray(from, Math.min(at, from + 10_000))
            if (kind === 'fail') throw new Error('the line is dead')
          })()
        }, alice)
        expect((await buffer(opened)).equals(plain)).toBe(true)
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
      },
    ),
    { numRuns: 50 },
  )
  // Also where it is the header that is damaged, to its last byte.
  for (let at = 0; at < 200; at++) {
    let copies = 0
    const copy = async () => Readable.from([copies++ === 0 ? flip(at) : sealed], { objectMode: false })
    expect((await buffer(decryptFrom(copy, alice))).equals(plain)).toBe(true)
    expect(copies).toBe(2)
  }
  await expect(
    buffer(
      decryptFrom(async (_offset, error) => {
        if (error) throw new Error(`no copy is left: ${error.message}`)
        return Readable.from([sealed.subarray(0, 100_000)])
      }, alice),
    ),
  ).rejects.toThrow('no copy is left: the encrypted stream is damaged or cut short')
})

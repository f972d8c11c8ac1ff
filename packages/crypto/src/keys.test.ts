import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { deriveKeys, openSealed, sealTo, vaultIdOf } from './keys.ts'
import { generatePhrase, masterFromPhrase, phraseFromMaster } from './phrase.ts'

const ZERO_PHRASE = `${'abandon '.repeat(23)}art`

test('the phrase of zeros is the one that BIP39 publishes', () => {
  expect(Buffer.from(masterFromPhrase(ZERO_PHRASE))).toEqual(Buffer.alloc(32))
  expect(phraseFromMaster(new Uint8Array(32))).toBe(ZERO_PHRASE)
})

test('a phrase survives case, line ends and blanks', () => {
  const phrase = generatePhrase()
  const mangled = ` ${phrase.toUpperCase().replaceAll(' ', ' \n\t')}\r\n`
  expect(masterFromPhrase(mangled)).toEqual(masterFromPhrase(phrase))
})

test('phrases are random and open to what they were made of', () => {
  const master = Uint8Array.from(randomBytes(32))
  expect(masterFromPhrase(phraseFromMaster(master))).toEqual(master)
  expect(generatePhrase()).not.toBe(generatePhrase())
})

test('a bad phrase is refused by what is wrong, without its words', () => {
  const misspelt = ZERO_PHRASE.replace(/^abandon/, 'abandonn')
  expect(() => masterFromPhrase(misspelt)).toThrow(
    expect.objectContaining({
      code: 'bad-phrase',
      message: expect.stringContaining('word 1 '),
      hint: 'Is it abandon?',
    }),
  )
  expect(() => masterFromPhrase(ZERO_PHRASE.replace(/art$/, 'zoo'))).toThrow(
    expect.objectContaining({ message: expect.stringContaining('checksum') }),
  )
  expect(() => masterFromPhrase('abandon')).toThrow(
    expect.objectContaining({ message: 'a recovery phrase has 24 words, this has 1 word' }),
  )
})

test('keys are those that the format says: kdf is BLAKE2b, the pair is from its seed', async () => {
  const keys = await deriveKeys(new Uint8Array(32))
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  expect(hex(keys.secretKey)).toMatch(/^[0-9a-f]{64}$/)
  expect({
    publicKey: hex(keys.publicKey),
    idKey: hex(keys.idKey),
    indexKey: hex(keys.indexKey),
  }).toMatchSnapshot()
  const digest = createHash('sha256')
    .update(Buffer.concat([Buffer.from('pipe-backup vault 1\n'), keys.publicKey]))
    .digest('hex')
  expect(vaultIdOf(keys.publicKey)).toBe(digest.slice(0, 32))
})

test('a sealed box opens with its pair alone', async () => {
  const ours = await deriveKeys(new Uint8Array(32).fill(1))
  const theirs = await deriveKeys(new Uint8Array(32).fill(2))
  const sealed = await sealTo(ours.publicKey, Uint8Array.of(1, 2, 3))
  expect(await openSealed(ours, sealed)).toEqual(Uint8Array.of(1, 2, 3))
  await expect(openSealed(theirs, sealed)).rejects.toMatchObject({ code: 'wrong-key' })
})

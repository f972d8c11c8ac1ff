import { deriveKeys } from '@pipe-backup/crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flips, outcomeOf, truncations } from '../test-support/outcome.ts'
import { createVaultHost, decodeHostKey, encodeHostKey } from './vault-host.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(3))
const host = { ...createVaultHost(keys), recipients: [Uint8Array.from({ length: 32 }, (_, i) => i)] }

test('a host key file is read as it was written, and does not hold the secret key', () => {
  const text = encodeHostKey(host)
  const read = decodeHostKey(text)
  expect(encodeHostKey(read)).toBe(text)
  expect(read.keys.idKey).toEqual(Uint8Array.from(host.keys.idKey))
  expect(text).not.toContain(Buffer.from(keys.secretKey).toString('hex'))
  expect(Object.keys(host.keys).sort()).toEqual(['idKey', 'indexKey', 'publicKey', 'revoked', 'rootKey'])
})

test('a host key file that was damaged is refused, or read as what it says', () => {
  const bytes = Buffer.from(encodeHostKey(host))
  for (const { damaged } of [...flips(bytes), ...truncations(bytes)])
    expect(['returned', 'corrupt', 'unsupported-version']).toContain(
      outcomeOf(() => decodeHostKey(damaged.toString())),
    )
})

test('recipients that are damaged are not forgotten in silence', () => {
  const file: Record<string, unknown> = JSON.parse(encodeHostKey(host))
  for (const recipients of [undefined, {}, 'abc', [7], ['abcd']])
    expect(outcomeOf(() => decodeHostKey(JSON.stringify({ ...file, recipients })))).toBe('corrupt')
})

test('text of any kind is a host key or corrupt', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      expect(outcomeOf(() => decodeHostKey(text))).toBe('corrupt')
    }),
  )
})

test('a host key file of a later version says so', () => {
  const file: Record<string, unknown> = JSON.parse(encodeHostKey(host))
  expect(outcomeOf(() => decodeHostKey(JSON.stringify({ ...file, version: 2 })))).toBe('unsupported-version')
})

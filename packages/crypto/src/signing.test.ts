import sodium from 'libsodium-wrappers'
import { expect, test } from 'vitest'
import { isSignatureOf, signDetached, signingKeyOf } from './signing.ts'

test('keys and signatures are those of libsodium, and of RFC 8032', async () => {
  await sodium.ready
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
  const publicKey = signingKeyOf(seed)
  expect(Buffer.from(publicKey).toString('hex')).toBe(
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  )
  const signature = signDetached(seed, Buffer.of())
  expect(Buffer.from(signature).toString('hex')).toBe(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  )
  const message = Buffer.from('a message')
  const pair = sodium.crypto_sign_seed_keypair(seed)
  expect(signDetached(seed, message)).toEqual(
    Buffer.from(sodium.crypto_sign_detached(message, pair.privateKey)),
  )
  expect(isSignatureOf(publicKey, message, sodium.crypto_sign_detached(message, pair.privateKey))).toBe(true)
})

test.for(['message', 'signature', 'key'])('a signature of another %s is none', (what) => {
  const seed = new Uint8Array(32).fill(1)
  const message = Buffer.from('a message')
  const signature = Buffer.from(signDetached(seed, message))
  if (what === 'message') message[0] = 0
  if (what === 'signature') signature[3] = (signature[3] ?? 0) ^ 1
  const key = signingKeyOf(what === 'key' ? new Uint8Array(32).fill(2) : seed)
  expect(isSignatureOf(key, message, signature)).toBe(false)
})

test('a key or a signature that can be none makes no signature', () => {
  const signature = signDetached(new Uint8Array(32), Buffer.of())
  expect(isSignatureOf(new Uint8Array(32).fill(255), Buffer.of(), signature)).toBe(false)
  expect(isSignatureOf(signingKeyOf(new Uint8Array(32)), Buffer.of(), signature.subarray(1))).toBe(false)
})

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64

// DER before the 32 bytes of a key (RFC 8410).
const PRIVATE_KEY = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_KEY = Buffer.from('302a300506032b6570032100', 'hex')

/** Parsed keys: parsing one costs as much as a signature. */
const parsed = new Map<string, KeyObject>()
const MAX_PARSED = 256

/** Signs by Ed25519 (RFC 8032), as libsodium's `crypto_sign_detached`. @param seed - 32 bytes @returns 64 bytes */
export function signDetached(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return sign(null, message, privateKey(seed))
}

/** Whether a signature by `signDetached` is that of this message and key. @param publicKey - 32 bytes */
export function isSignatureOf(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = Buffer.from(publicKey).toString('hex')
  let known = parsed.get(key)
  if (!known) {
    known = createPublicKey({ key: Buffer.concat([PUBLIC_KEY, publicKey]), format: 'der', type: 'spki' })
    if (parsed.size >= MAX_PARSED) parsed.clear()
    parsed.set(key, known)
  }
  return verify(null, message, known, signature)
}

/** The public key, 32 bytes, that belongs to a seed of 32 bytes. */
export function signingKeyOf(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' })
  return Uint8Array.from(der.subarray(PUBLIC_KEY.length))
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_KEY, seed]), format: 'der', type: 'pkcs8' })
}

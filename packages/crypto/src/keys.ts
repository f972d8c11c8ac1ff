import { createHash } from 'node:crypto'
import { CryptoError } from './crypto-error.ts'
import { signingKeyOf } from './signing.ts'
import { readySodium } from './sodium.ts'

/** What opens the vault's small objects, and shows who has written them. Each 32 bytes. */
export interface ObjectKeys {
  /** Seals indexes and snapshot heads. */
  readonly indexKey: Uint8Array
  /** Ed25519: whom it certifies is a host of the vault. */
  readonly rootKey: Uint8Array
  /** Whom it certified once, and no longer trusts: filled as that is learnt. */
  readonly revoked: RevokedHosts
}

/** By the id of each host that was revoked (32 hex digits): the SHA-256, in hex, of what it had written before and is still believed. */
export type RevokedHosts = Map<string, ReadonlySet<string>>

/** What a host holds: enough to back up, not to read. Each 32 bytes. */
export interface HostKeys extends ObjectKeys {
  /** X25519: run keys are sealed to it. */
  readonly publicKey: Uint8Array
  /** Names chunks. */
  readonly idKey: Uint8Array
}

/** An X25519 pair. */
export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** What the recovery phrase gives: all that there is. */
export interface VaultKeys extends HostKeys, KeyPair {
  /** The secret half of the root key: certifies hosts. 32 bytes. */
  readonly rootSeed: Uint8Array
}

const CONTEXT = 'pbvault1'

/** The keys of a vault, from its master secret (docs/format.md section 2). */
export async function deriveKeys(master: Uint8Array): Promise<VaultKeys> {
  const sodium = await readySodium()
  const { publicKey, privateKey } = sodium.crypto_box_seed_keypair(await deriveSubkey(master, 1, CONTEXT))
  const rootSeed = await deriveSubkey(master, 4, CONTEXT)
  return {
    publicKey,
    secretKey: privateKey,
    rootSeed,
    rootKey: signingKeyOf(rootSeed),
    idKey: await deriveSubkey(master, 2, CONTEXT),
    indexKey: await deriveSubkey(master, 3, CONTEXT),
    revoked: new Map(),
  }
}

/**
 * A key of 32 bytes that depends on another: libsodium's `crypto_kdf_derive_from_key`.
 * @param context - 8 ASCII characters, the purpose
 */
export async function deriveSubkey(key: Uint8Array, number: number, context: string): Promise<Uint8Array> {
  const sodium = await readySodium()
  return sodium.crypto_kdf_derive_from_key(32, number, context, key)
}

/** 32 hex digits: the first 16 bytes of SHA-256("pipe-backup vault VERSION\n" ‖ public key). */
export function vaultIdOf(publicKey: Uint8Array, version: number = 1): string {
  return createHash('sha256')
    .update(`pipe-backup vault ${version}\n`)
    .update(publicKey)
    .digest('hex')
    .slice(0, 32)
}

/** Seals a few bytes so that only the key pair opens them: libsodium's `crypto_box_seal`; 48 bytes longer. About 150 µs. */
export async function sealTo(publicKey: Uint8Array, plain: Uint8Array): Promise<Uint8Array> {
  return (await readySodium()).crypto_box_seal(plain, publicKey)
}

/** @throws CryptoError `wrong-key` when it was not sealed to this pair, or has been tampered with: the two look the same */
export async function openSealed(pair: KeyPair, sealed: Uint8Array): Promise<Uint8Array> {
  const sodium = await readySodium()
  try {
    return sodium.crypto_box_seal_open(sealed, pair.publicKey, pair.secretKey)
  } catch (cause) {
    throw new CryptoError('wrong-key', 'this was sealed for another key', { cause })
  }
}

import { createHash } from 'node:crypto'
import {
  isSignatureOf,
  type ObjectKeys,
  SIGNATURE_BYTES,
  signDetached,
  type VaultKeys,
} from '@pipe-backup/crypto'
import { VaultError } from '../vault-error.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const MAGIC = Buffer.from('PBREVOKE', 'latin1')
const VERSION = 1
const DIGEST_BYTES = 32
const KEY = /^grants\/revoked-([0-9a-f]{32})$/

/** That a host is no longer trusted (docs/format.md section 4). */
export interface Revocation {
  /** 32 hex digits. */
  readonly hostId: string
  readonly time: Date
  /** SHA-256, hex, of each object of its that is believed all the same: it was there before. */
  readonly believed: ReadonlySet<string>
}

/** @param hostId - 32 hex digits */
export function revocationKey(hostId: string): string {
  return `grants/revoked-${hostId}`
}

/** The host that a key revokes, or undefined where it is no such key. */
export function revokedHostOf(key: string): string | undefined {
  return KEY.exec(key)?.[1]
}

/** Signs a revocation with the phrase's key. */
export function encodeRevocation(
  { rootSeed }: VaultKeys,
  { hostId, time, believed }: Revocation,
): Uint8Array {
  const writer = new ByteWriter(64 + believed.size * DIGEST_BYTES)
  writer.raw(MAGIC)
  writer.u8(VERSION)
  writer.raw(Buffer.from(hostId, 'hex'))
  writer.u32(Math.floor(time.getTime() / 1000))
  writer.u32(believed.size)
  for (const digest of [...believed].sort()) writer.raw(Buffer.from(digest, 'hex'))
  const content = writer.copy()
  return Buffer.concat([content, signDetached(rootSeed, messageOf(revocationKey(hostId), content))])
}

/** @throws VaultError `corrupt` where nobody with the phrase has written it under this key; `unsupported-version` */
export function openRevocation({ rootKey }: ObjectKeys, key: string, object: Uint8Array): Revocation {
  const bad = () => new VaultError('corrupt', `${key} is damaged, or not of this vault`, { key })
  const content = object.subarray(0, Math.max(0, object.length - SIGNATURE_BYTES))
  const signature = object.subarray(content.length)
  if (signature.length !== SIGNATURE_BYTES || !isSignatureOf(rootKey, messageOf(key, content), signature))
    throw bad()
  const reader = new ByteReader(content, key)
  if (!reader.raw(MAGIC.length).equals(MAGIC)) throw bad()
  if (reader.u8() !== VERSION)
    throw new VaultError('unsupported-version', `${key} was written by a newer pipe-backup`, {
      key,
      hint: 'Update this program.',
    })
  const hostId = reader.raw(16).toString('hex')
  const time = new Date(reader.u32() * 1000)
  const believed = new Set<string>()
  for (let left = reader.checkCount(reader.u32(), DIGEST_BYTES); left > 0; left--)
    believed.add(reader.raw(DIGEST_BYTES).toString('hex'))
  reader.end()
  if (revokedHostOf(key) !== hostId) throw bad()
  return { hostId, time, believed }
}

function messageOf(key: string, content: Uint8Array): Buffer {
  const digest = createHash('sha256').update(content).digest()
  return Buffer.concat([Buffer.from(`pipe-backup revocation 1\n${key}\n`), digest])
}

import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import {
  type Author,
  isTrusted,
  type ObjectKeys,
  openAead,
  openSigned,
  SIGNED_BYTES,
  type Signer,
  sealAead,
  signContent,
} from '@pipe-backup/crypto'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { canBeVersion } from './version-byte.ts'

const MAGIC = Buffer.from('PBOBJ\x00\x00\x01', 'latin1')
/** Sealed: the snapshot of a vault of a hundred terabytes. Nothing longer is written or read. */
export const MAX_SEALED_BYTES: number = 256 * 1024 * 1024
/** The largest content that is believed. */
const MAX_CONTENT_BYTES = 1024 * 1024 * 1024
/** The same of an object that has 64 KiB at most. */
const MAX_SMALL_CONTENT_BYTES = 1024 * 1024
const SMALL = /^(?:sessions|marks)\//

/** What seals the vault's small objects. */
export interface SealingHost {
  readonly keys: ObjectKeys
  readonly signer: Signer
}

/** What was sealed, and by whom. */
export interface OpenedObject {
  readonly content: Buffer
  readonly author: Author
}

/**
 * Signs and seals the content of an index, snapshot, trash or session object under its key (docs/format.md section 3).
 * @throws VaultError `corrupt` when it would be longer than any such object can be
 */
export function sealObject({ keys, signer }: SealingHost, key: string, content: Uint8Array): Buffer {
  const packed = zstdCompressSync(content, {
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_contentSizeFlag]: 1 },
  })
  const bytes = MAGIC.length + SIGNED_BYTES + packed.length + 40
  if (content.length > maxContentBytes(key) || bytes > MAX_SEALED_BYTES)
    throw new VaultError('corrupt', `${key} would have ${bytes} bytes: nobody would read it`, { key })
  const object = Buffer.allocUnsafe(bytes)
  object.set(MAGIC)
  const signed = Buffer.concat([signContent(signer, labelOf(key), packed), packed])
  sealAead(keys.indexKey, signed, Buffer.from(key), object, MAGIC.length)
  return object
}

/** @throws VaultError `corrupt`, `unsupported-version`, `forged` when no certified host wrote it, `revoked`, naming the key */
export function openObject(keys: ObjectKeys, key: string, object: Uint8Array): OpenedObject {
  const magic = Buffer.from(object.buffer, object.byteOffset, Math.min(MAGIC.length, object.length))
  if (!magic.equals(MAGIC)) {
    const isKnown = magic.length === MAGIC.length && magic.subarray(0, 7).equals(MAGIC.subarray(0, 7))
    if (isKnown && canBeVersion(magic[7] ?? 0) && !isOfThisVersion(keys, key, object)) {
      throw new VaultError(
        'unsupported-version',
        `${key} has the version ${magic[7]}: a newer pipe-backup wrote it`,
        {
          key,
          hint: 'Update this program.',
        },
      )
    }
    throw new VaultError('corrupt', `${key} is damaged: it does not begin as it should`, { key })
  }
  try {
    const { content, author } = openContent(keys, key, object)
    if (!isTrusted(keys, author, () => createHash('sha256').update(object).digest('hex')))
      throw new VaultError(
        'revoked',
        `${key} is not believed: host ${author.hostId}, which wrote it, is revoked`,
        { key },
      )
    return { content: zstdDecompressSync(content, { maxOutputLength: maxContentBytes(key) }), author }
  } catch (cause) {
    if (hasCode(cause, 'forged')) throw forgedObject(key, cause)
    if (hasCode(cause, 'revoked')) throw cause
    throw new VaultError('corrupt', `${key} is damaged, or is not what its name says`, { key, cause })
  }
}

function maxContentBytes(key: string): number {
  return SMALL.test(key) ? MAX_SMALL_CONTENT_BYTES : MAX_CONTENT_BYTES
}

/** Opens what is behind the magic. @throws CryptoError; VaultError `forged` */
function openContent(keys: ObjectKeys, key: string, object: Uint8Array): ReturnType<typeof openSigned> {
  return openSigned(
    keys,
    labelOf(key),
    openAead(keys.indexKey, object.subarray(MAGIC.length), Buffer.from(key)),
  )
}

/** Whether an object that names another version is of this one all the same: a host has signed it as such, and the byte that names it is damaged. */
function isOfThisVersion(keys: ObjectKeys, key: string, object: Uint8Array): boolean {
  try {
    openContent(keys, key, object)
    return true
  } catch {
    return false
  }
}

/** Of an object that whoever has written it had no right to write. */
export function forgedObject(key: string, cause?: unknown): VaultError {
  const message = `${key} is forged: whoever wrote it is no host that the phrase has certified for it`
  return new VaultError('forged', message, { key, cause })
}

function labelOf(key: string): string {
  return `pipe-backup object 1\n${key}`
}

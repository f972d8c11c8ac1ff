import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { openAead, sealAead } from '@pipe-backup/crypto'
import { VaultError } from '../vault-error.ts'

const MAGIC = Buffer.from('PBOBJ\x00\x00\x01', 'latin1')
/** Sealed: the snapshot of a vault of a hundred terabytes. Nothing longer is written or read. */
export const MAX_SEALED_BYTES: number = 256 * 1024 * 1024
/** The largest content that is believed. */
const MAX_CONTENT_BYTES = 1024 * 1024 * 1024

/**
 * Seals the content of an index, snapshot, trash or session object under its key (docs/format.md section 3).
 * @throws VaultError `corrupt` when it would be longer than any such object can be
 */
export function sealObject(indexKey: Uint8Array, key: string, content: Uint8Array): Buffer {
  const packed = zstdCompressSync(content, {
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_contentSizeFlag]: 1 },
  })
  const object = Buffer.allocUnsafe(MAGIC.length + packed.length + 40)
  object.set(MAGIC)
  if (content.length > MAX_CONTENT_BYTES || object.length > MAX_SEALED_BYTES)
    throw new VaultError('corrupt', `${key} would have ${object.length} bytes: nobody would read it`, { key })
  sealAead(indexKey, packed, Buffer.from(key), object, MAGIC.length)
  return object
}

/** @throws VaultError `corrupt`, `unsupported-version`, naming the key */
export function openObject(indexKey: Uint8Array, key: string, object: Uint8Array): Buffer {
  const magic = Buffer.from(object.buffer, object.byteOffset, Math.min(MAGIC.length, object.length))
  if (!magic.equals(MAGIC)) {
    const known = magic.length === MAGIC.length && magic.subarray(0, 7).equals(MAGIC.subarray(0, 7))
    if (known) {
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
    const packed = openAead(indexKey, object.subarray(MAGIC.length), Buffer.from(key))
    return zstdDecompressSync(packed, { maxOutputLength: MAX_CONTENT_BYTES })
  } catch (cause) {
    throw new VaultError('corrupt', `${key} is damaged, or is not what its name says`, { key, cause })
  }
}

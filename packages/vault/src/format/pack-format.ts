import { createHash } from 'node:crypto'
import {
  isTrusted,
  type ObjectKeys,
  openAead,
  openSigned,
  SIGNED_BYTES,
  sealAead,
  signContent,
} from '@pipe-backup/crypto'
import { VaultError } from '../vault-error.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { CHUNK_ID_BYTES, CHUNK_OVERHEAD_BYTES, type ChunkKind, MAX_CHUNK_BYTES } from './chunk-codec.ts'
import type { SealingHost } from './sealed-object.ts'
import { canBeVersion } from './version-byte.ts'

const MAGIC = Buffer.from('PBPACK\x00\x01', 'latin1')
const END_MAGIC = Buffer.from('PBEND\x00\x00\x01', 'latin1')
const FOOTER_AAD = Buffer.from('PBFOOTER', 'latin1')
const SEALED_KEY_BYTES = 80
const FOOTER_ENTRY_BYTES = 47
const MAX_FOOTER_BYTES = 64 * 1024 * 1024

const HOST_ID_BYTES = 16
/** A pack has fewer chunks than this. */
export const MAX_PACK_CHUNKS: number = 2 ** 20
/** The last bytes of a pack, which say where its footer is. */
export const PACK_END_BYTES: number = 4 + END_MAGIC.length

/** A run key as packs carry it: nobody opens it without a recipient's secret key. */
export interface SealedRunKey {
  readonly id: Uint8Array
  readonly boxes: readonly Uint8Array[]
}

/** Where one chunk is in its pack, and what it is. */
export interface PackChunk {
  readonly kind: ChunkKind
  readonly runKey: number
  readonly offset: number
  readonly length: number
  readonly rawLength: number
  readonly id: Uint8Array
}

export interface PackFooter {
  readonly hostId: Uint8Array
  readonly chunks: readonly PackChunk[]
}

export function runKeyId(runKey: Uint8Array): Uint8Array {
  return createHash('sha256').update(runKey).digest().subarray(0, 16)
}

/** The key under which a pack is stored. @param name - its SHA-256, hex */
export function packKey(name: string): string {
  return `packs/${name.slice(0, 2)}/${name}`
}

const PACK_KEY = /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/

/** The name of the pack under a key, or undefined where the key is not a pack's. */
export function packNameOf(key: string): string | undefined {
  return PACK_KEY.exec(key)?.[2]
}

export function encodePackHeader(runKeys: readonly SealedRunKey[]): Buffer {
  const writer = new ByteWriter()
  writer.raw(MAGIC)
  writer.u16(runKeys.length)
  for (const { id, boxes } of runKeys) {
    writer.raw(id)
    writer.u16(boxes.length)
    for (const box of boxes) writer.raw(box)
  }
  return writer.copy()
}

/**
 * Reads the header at the start of a pack.
 * @returns its run keys, and its length in bytes
 * @throws VaultError `corrupt`, `unsupported-version`
 */
export function decodePackHeader(pack: Uint8Array): { runKeys: SealedRunKey[]; length: number } {
  const reader = new ByteReader(pack, 'a pack header')
  const magic = reader.raw(MAGIC.length)
  if (!magic.equals(MAGIC)) {
    const known = magic.subarray(0, 7).equals(MAGIC.subarray(0, 7)) && canBeVersion(magic[7] ?? 0)
    throw new VaultError(
      known ? 'unsupported-version' : 'corrupt',
      known ? `a pack of version ${magic[7]}, which this program does not know` : 'not a pack',
    )
  }
  const runKeys: SealedRunKey[] = []
  for (let left = reader.checkCount(reader.u16(), 18); left > 0; left--) {
    const id = reader.raw(16)
    const boxes: Uint8Array[] = []
    for (let boxesLeft = reader.checkCount(reader.u16(), SEALED_KEY_BYTES); boxesLeft > 0; boxesLeft--) {
      boxes.push(reader.raw(SEALED_KEY_BYTES))
    }
    if (boxes.length === 0) throw new VaultError('corrupt', 'a run key of a pack is sealed to nobody')
    runKeys.push({ id, boxes })
  }
  if (runKeys.length === 0) throw new VaultError('corrupt', 'a pack has no run key')
  return { runKeys, length: reader.position }
}

export function encodeFooterContent(footer: PackFooter): Buffer {
  const writer = new ByteWriter(HOST_ID_BYTES + 4 + footer.chunks.length * FOOTER_ENTRY_BYTES)
  writer.raw(footer.hostId)
  writer.u32(footer.chunks.length)
  for (const chunk of footer.chunks) {
    writer.u8(chunk.kind)
    writer.u16(chunk.runKey)
    writer.u32(chunk.offset)
    writer.u32(chunk.length)
    writer.u32(chunk.rawLength)
    writer.raw(chunk.id)
  }
  return writer.view()
}

/** @throws VaultError `corrupt` */
export function decodeFooterContent(content: Uint8Array): PackFooter {
  const reader = new ByteReader(content, 'a pack footer')
  const hostId = reader.raw(HOST_ID_BYTES)
  const chunks: PackChunk[] = []
  const count = reader.checkCount(reader.u32(), FOOTER_ENTRY_BYTES)
  if (count >= MAX_PACK_CHUNKS) throw new VaultError('corrupt', 'a pack has more chunks than any can have')
  for (let left = count; left > 0; left--) {
    const kind = reader.u8()
    if (kind !== 0 && kind !== 1 && kind !== 2)
      throw new VaultError('corrupt', `a chunk of unknown kind ${kind}`)
    const runKey = reader.u16()
    const offset = reader.u32()
    const length = reader.u32()
    const rawLength = reader.u32()
    if (rawLength > MAX_CHUNK_BYTES || length > MAX_CHUNK_BYTES + CHUNK_OVERHEAD_BYTES)
      throw new VaultError('corrupt', 'a chunk is longer than any chunk can be')
    chunks.push({ kind, runKey, offset, length, rawLength, id: reader.raw(CHUNK_ID_BYTES) })
  }
  reader.end()
  return { hostId, chunks }
}

/** The id of the host that wrote a pack, 32 hex digits. @param content - a footer's */
export function hostIdOf(content: Uint8Array): string {
  return Buffer.from(content.buffer, content.byteOffset, Math.min(HOST_ID_BYTES, content.length)).toString(
    'hex',
  )
}

/**
 * Signs and seals the footer behind the chunks, and the end behind it.
 * @param pack - memory with the header and chunks at its start
 * @param at - where the chunks end
 * @returns the pack's whole length in bytes
 */
export function writePackFooter(
  { keys, signer }: SealingHost,
  header: Uint8Array,
  content: Uint8Array,
  pack: Uint8Array,
  at: number,
): number {
  const signed = Buffer.concat([signContent(signer, labelOf(header), content), content])
  const length = sealAead(keys.indexKey, signed, Buffer.concat([FOOTER_AAD, header]), pack, at)
  const end = Buffer.from(pack.buffer, pack.byteOffset + at + length, PACK_END_BYTES)
  end.writeUInt32LE(length)
  end.set(END_MAGIC, 4)
  return at + length + PACK_END_BYTES
}

/** How many bytes writePackFooter needs for this many chunks. */
export function footerBytes(chunks: number): number {
  return SIGNED_BYTES + HOST_ID_BYTES + 4 + chunks * FOOTER_ENTRY_BYTES + 40 + PACK_END_BYTES
}

/** The length of the sealed footer in bytes, from the last PACK_END_BYTES of a pack. @throws VaultError `corrupt` */
export function decodePackEnd(end: Uint8Array, packBytes: number): number {
  const reader = new ByteReader(end, 'the end of a pack')
  const length = reader.u32()
  if (!reader.raw(END_MAGIC.length).equals(END_MAGIC)) throw new VaultError('corrupt', 'a pack has no end')
  if (length > MAX_FOOTER_BYTES || length + PACK_END_BYTES + MAGIC.length > packBytes) {
    throw new VaultError('corrupt', 'the footer of a pack is longer than the pack')
  }
  return length
}

/**
 * Opens a sealed footer.
 * @param name - the pack's
 * @param header - the pack's header, whole
 * @returns its content
 * @throws CryptoError; VaultError `corrupt`, `forged` when neither the host that it says wrote it, nor one that maintains the vault, `revoked`
 */
export function openFooter(
  keys: ObjectKeys,
  name: string,
  header: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  const signed = openAead(keys.indexKey, sealed, Buffer.concat([FOOTER_AAD, header]))
  const { content, author } = openSigned(keys, labelOf(header), signed)
  // A revoked host's own packs do no harm: no other host's chunks rest on them.
  if (author.hostId === hostIdOf(content)) return content
  if (author.role === 'maintain') {
    if (isTrusted(keys, author, () => name)) return content
    throw new VaultError(
      'revoked',
      `a pack is not believed: host ${author.hostId}, which wrote it, is revoked`,
    )
  }
  throw new VaultError('forged', 'a pack is forged: another host than it says has written it')
}

/** A footer is signed together with the header of its pack. */
function labelOf(header: Uint8Array): string {
  return `pipe-backup footer 1\n${createHash('sha256').update(header).digest('hex')}`
}

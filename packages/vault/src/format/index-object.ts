import { randomBytes } from 'node:crypto'
import type { ObjectKeys } from '@pipe-backup/crypto'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { hostIdOf } from './pack-format.ts'
import { forgedObject, openObject, type SealingHost, sealObject } from './sealed-object.ts'

/** A pack as an index lists it. */
export interface IndexedPack {
  /** SHA-256, hex. */
  readonly name: string
  readonly sizeBytes: number
  /** The footer's content, opened but not decoded. */
  readonly footer: Uint8Array
}

/** How much content an index is given before another is begun: each is read whole. */
const INDEX_BYTES = 64 * 1024 * 1024

/** Indexes of these packs, under new keys: one, or as many as it takes; none of no packs. */
export function sealIndexes(
  host: SealingHost,
  packs: readonly IndexedPack[],
  indexBytes: number = INDEX_BYTES,
): { readonly key: string; readonly object: Buffer }[] {
  const parts: IndexedPack[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const pack of packs) {
    bytes += pack.footer.length + 40
    if (bytes > indexBytes) {
      parts.push([])
      bytes = pack.footer.length + 40
    }
    parts.at(-1)?.push(pack)
  }
  return parts.map((part) => {
    const key = `index/${randomBytes(16).toString('hex')}`
    return { key, object: sealObject(host, key, encodeIndex(part)) }
  })
}

/** The content of an index object (docs/format.md section 6). */
export function encodeIndex(packs: readonly IndexedPack[]): Buffer {
  const writer = new ByteWriter(64 * 1024)
  writer.u32(packs.length)
  for (const pack of packs) {
    writer.raw(Buffer.from(pack.name, 'hex'))
    writer.u32(pack.sizeBytes)
    writer.u32(pack.footer.length)
    writer.raw(pack.footer)
  }
  return writer.view()
}

/**
 * What an index object lists. A host may list its own packs, one that maintains the vault those of all.
 * @throws VaultError `corrupt`, `unsupported-version`, `forged`, naming the key
 */
export function openIndex(keys: ObjectKeys, key: string, object: Uint8Array): IndexedPack[] {
  const { content, author } = openObject(keys, key, object)
  const packs = decodeIndex(content)
  const isForeign = ({ footer }: IndexedPack): boolean => hostIdOf(footer) !== author.hostId
  if (author.role !== 'maintain' && packs.some(isForeign)) throw forgedObject(key)
  return packs
}

/** The content of an index object, read. @throws VaultError `corrupt` */
export function decodeIndex(content: Uint8Array): IndexedPack[] {
  const reader = new ByteReader(content, 'an index')
  const packs: IndexedPack[] = []
  for (let left = reader.checkCount(reader.u32(), 40); left > 0; left--) {
    const name = reader.raw(32).toString('hex')
    const sizeBytes = reader.u32()
    packs.push({ name, sizeBytes, footer: reader.raw(reader.u32()) })
  }
  reader.end()
  return packs
}

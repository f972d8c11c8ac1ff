import { type Attribute, attributesFlaw } from '@pipe-backup/source'
import { VaultError } from '../vault-error.ts'
import { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/** Extended attributes as an entry of a manifest and a row of the local state have them (docs/format.md section 8). */
export function writeAttributes(writer: ByteWriter, attributes: readonly Attribute[]): void {
  writer.uvarint(attributes.length)
  for (const { name, value } of attributes) {
    writer.bytes(name)
    writer.bytes(value)
  }
}

/**
 * What `writeAttributes` wrote; bytes behind it are of a later version, and skipped. Copies: a value must not hold the node that it came in.
 * @returns undefined for no bytes, or no attributes
 * @throws VaultError `corrupt`
 */
export function readAttributes(bytes: Uint8Array): readonly Attribute[] | undefined {
  if (bytes.length === 0) return undefined
  const reader = new ByteReader(bytes, 'a list of extended attributes')
  const attributes: Attribute[] = []
  for (let left = reader.count(2); left > 0; left--)
    attributes.push({ name: Uint8Array.from(reader.bytes()), value: Uint8Array.from(reader.bytes()) })
  const flaw = attributesFlaw(attributes)
  if (flaw !== undefined) throw new VaultError('corrupt', `a manifest has ${flaw}`)
  return attributes.length === 0 ? undefined : attributes
}

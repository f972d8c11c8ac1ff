import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { PutOptions } from '@pipe-backup/sink'
import { packNameOf } from '../format/pack-format.ts'
import { VaultError } from '../vault-error.ts'

/**
 * Watches the memory of an object while it is sent.
 * @param options - with a `sha256` whoever sends it watches over it himself
 * @returns whether it has changed: a pack is compared with its name, all else with what it was when this was called
 */
export function watchMemory(key: string, bytes: Uint8Array, { sha256 }: PutOptions): () => boolean {
  if (sha256 !== undefined) return () => false
  const name = packNameOf(key)
  if (name !== undefined) return () => createHash('sha256').update(bytes).digest('hex') !== name
  const crc = crc32(bytes)
  return () => crc32(bytes) !== crc
}

/** What is said of an object that is no longer what was sealed, or read. */
export function changedInMemory(sink: string, key: string): VaultError {
  return new VaultError('fault', `sink "${sink}": ${key} has changed in memory while it was sent`, {
    sink,
    key,
    hint: "This machine's memory can't be trusted: test it (memtest) before you rely on its backups. Nothing rests on what was sent.",
  })
}

import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  openFooter,
  PACK_END_BYTES,
  type PackChunk,
  runKeyId,
} from '../format/pack-format.ts'
import { proveChunk } from '../format/prove-chunk.ts'
import { VaultError } from '../vault-error.ts'
import type { PackKeys } from './pack-writer.ts'

/**
 * Reads a pack that was just sealed as a restore would, from its own bytes alone: end, header, footer, each chunk. Only the boxes
 * with the run key can't be opened here, and are compared with those of the run.
 * @param header - the header that every pack of the run has
 * @param ids - of the chunks that went in, in order
 * @throws VaultError `fault`
 */
export function provePack(
  keys: PackKeys,
  header: Uint8Array,
  ids: readonly Uint8Array[],
  pack: Uint8Array,
): void {
  try {
    if (isWhole(keys, header, ids, pack)) return
  } catch (cause) {
    throw fault(cause)
  }
  throw fault()
}

function isWhole(keys: PackKeys, header: Uint8Array, ids: readonly Uint8Array[], pack: Uint8Array): boolean {
  const start = pack.subarray(0, header.length)
  const runKey = decodePackHeader(start).runKeys[0]
  if (!equal(start, header) || !runKey || !equal(runKey.id, runKeyId(keys.runKey))) return false
  const endAt = pack.length - PACK_END_BYTES
  const footerAt = endAt - decodePackEnd(pack.subarray(endAt), pack.length)
  const footer = openFooter(keys.host.keys, '', start, pack.subarray(footerAt, endAt))
  const { chunks } = decodeFooterContent(footer)
  return (
    chunks.length === ids.length &&
    chunks.every((chunk, i) => equal(chunk.id, ids[i] ?? new Uint8Array()) && opens(keys, chunk, pack))
  )
}

function opens(keys: PackKeys, chunk: PackChunk, pack: Uint8Array): boolean {
  const sealed = pack.subarray(chunk.offset, chunk.offset + chunk.length)
  return proveChunk(keys, keys.runKey, chunk, sealed)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function fault(cause?: unknown): VaultError {
  return new VaultError('fault', 'a pack did not open again after it was sealed, and was not sent', {
    hint: "This machine's memory or processor can't be trusted: test it (memtest) before you rely on its backups.",
    cause,
  })
}

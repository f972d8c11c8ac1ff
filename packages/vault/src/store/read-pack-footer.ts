import type { ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { decodePackEnd, openFooter, PACK_END_BYTES, packKey } from '../format/pack-format.ts'
import { VaultError } from '../vault-error.ts'
import { readPackHeader } from './read-pack-header.ts'

const GUESS_BYTES = 64 * 1024

/**
 * Reads the footer of one pack from a sink, with two or three range requests.
 * @returns the footer's content
 * @throws VaultError `corrupt`, SinkError
 */
export async function readPackFooter(
  sink: Sink,
  name: string,
  packBytes: number,
  keys: ObjectKeys,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const key = packKey(name)
  const range = (offset: number, length: number) => sink.get(key, { offset, length, signal })
  try {
    const tailBytes = Math.min(GUESS_BYTES, packBytes)
    let tail = await range(packBytes - tailBytes, tailBytes)
    const footerBytes = decodePackEnd(tail.subarray(tail.length - PACK_END_BYTES), packBytes)
    const needed = footerBytes + PACK_END_BYTES
    if (needed > tail.length) tail = await range(packBytes - needed, needed)
    const sealed = tail.subarray(tail.length - needed, tail.length - PACK_END_BYTES)
    const { header } = await readPackHeader((length) => range(0, length), packBytes - needed)
    return openFooter(keys, name, header, sealed)
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'SinkError') throw cause
    throw new VaultError(
      'corrupt',
      `sink "${sink.name}": ${key} is damaged: ${cause instanceof Error ? cause.message : ''}`,
      {
        sink: sink.name,
        key,
        cause,
      },
    )
  }
}

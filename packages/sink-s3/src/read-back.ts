import { createHash } from 'node:crypto'
import type { SinkOptions } from '@pipe-backup/sink'
import type { Algorithm } from './digests.ts'
import type { SentPart } from './multipart-upload.ts'
import type { S3Reads } from './s3-reads.ts'

export interface SentObject {
  readonly key: string
  /** What it was stored as: one with another ETag has replaced it since. */
  readonly eTag: string | undefined
  readonly parts: readonly SentPart[]
  readonly algorithm: Algorithm
}

/** Reads an object back that the store says nothing about. @returns whether it is what was sent */
export async function readsBack(reads: S3Reads, sent: SentObject, options: SinkOptions): Promise<boolean> {
  const { key, eTag, parts, algorithm } = sent
  const object = await reads.open(key, { signal: options.signal })
  try {
    if (eTag && object.eTag && object.eTag !== eTag) return true
    if (object.sizeBytes !== parts.reduce((sum, part) => sum + part.sizeBytes, 0)) return false
    return await matches(object.pieces, parts, algorithm, options)
  } finally {
    object.close?.()
  }
}

/** Whether bytes are those of the parts, one after the other. */
async function matches(
  bytes: AsyncIterable<Uint8Array>,
  parts: readonly SentPart[],
  algorithm: Algorithm,
  { signal, onBytes }: SinkOptions,
): Promise<boolean> {
  const left = parts.values()
  let part = left.next().value
  let hash = createHash(algorithm)
  let hashed = 0
  const isRight = () => part !== undefined && hash.digest().equals(part.digest)
  for await (const piece of bytes) {
    await onBytes?.(piece.length)
    signal?.throwIfAborted()
    for (let at = 0; at < piece.length; ) {
      if (part && hashed === part.sizeBytes) {
        if (!isRight()) return false
        part = left.next().value
        hash = createHash(algorithm)
        hashed = 0
      }
      if (!part) return false
      const taken = piece.subarray(at, at + part.sizeBytes - hashed)
      hash.update(taken)
      hashed += taken.length
      at += taken.length
    }
  }
  return isRight() && left.next().done === true
}

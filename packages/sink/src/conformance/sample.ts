import { createCipheriv, createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import type { Sink } from '../sink.ts'

/** Bytes that look random, the same for the same seed, and any piece of which can be reported from any other. */
export function sample(length: number, seed = 1): Buffer {
  const key = Buffer.alloc(16)
  key.writeInt32LE(seed | 0)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** A failed comparison of megabytes says nothing by showing them: length and hash. */
export function digest(bytes: Uint8Array): string {
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex')}`
}

export async function readAll(
  sink: Sink,
  key: string,
  options?: Parameters<Sink['createReadStream']>[1],
): Promise<Buffer> {
  return buffer(await sink.createReadStream(key, options))
}

export async function keysOf(sink: Sink, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list(prefix)) keys.push(key)
  return keys.sort()
}

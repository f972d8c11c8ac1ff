import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import type { Sink } from '../sink.ts'

/** Bytes that look random, the same for the same seed, and any piece of which can be told from any other. */
export function sample(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[at] = state >>> 24
  }
  return bytes
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

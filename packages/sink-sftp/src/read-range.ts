import { type ObjectRange, type ReadOptions, rangeLength, SinkError } from '@pipe-backup/sink'
import type { Remote } from './remote.ts'

const REQUEST_BYTES = 255 * 1024
const WINDOW_REQUESTS = 16

/** Sixteen requests ahead of who reads. @throws SinkError `range`, `corrupt`; the server's errors */
export async function readRange(
  remote: Remote,
  path: string,
  options: ReadOptions,
  place: { readonly sink: string; readonly key: string },
): Promise<ObjectRange> {
  const { offset = 0 } = options
  const handle = await remote.open(path, 'r')
  let closing: Promise<void> | undefined
  // Once: the server may have given the handle to another by the second time.
  const close = () => (closing ??= remote.close(handle).catch(() => undefined))
  try {
    const sizeBytes = rangeLength(await remote.size(handle), options, place)
    const short = () => new SinkError('corrupt', 'became shorter while it was read', place)
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* read(remote, handle, offset, offset + sizeBytes, short)
      } finally {
        await close()
      }
    }
    return { sizeBytes, pieces: pieces(), close: () => void close() }
  } catch (error) {
    await close()
    throw error
  }
}

async function* read(
  remote: Remote,
  handle: Buffer,
  from: number,
  to: number,
  short: () => SinkError,
): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Buffer>[] = []
  let next = from
  try {
    for (;;) {
      while (ahead.length < WINDOW_REQUESTS && next < to) {
        const piece = readWhole(remote, handle, next, Math.min(REQUEST_BYTES, to - next), short)
        // Its failure is seen when its turn comes.
        piece.catch(() => undefined)
        ahead.push(piece)
        next += REQUEST_BYTES
      }
      const piece = await ahead.shift()
      if (!piece) return
      yield piece
    }
  } finally {
    await Promise.allSettled(ahead)
  }
}

/** A server may answer with less than was asked for. */
async function readWhole(
  remote: Remote,
  handle: Buffer,
  position: number,
  length: number,
  short: () => SinkError,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let at = 0; at < length; ) {
    const got = await remote.read(handle, bytes.subarray(at), position + at)
    if (got === 0) throw short()
    at += got
  }
  return bytes
}

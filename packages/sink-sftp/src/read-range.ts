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
  const { offset = 0, length = REQUEST_BYTES } = options
  const handle = await remote.open(path, 'r')
  // Asked for before the size is known: most objects are no longer than this.
  const start = readSome(remote, handle, offset, Math.min(length, REQUEST_BYTES))
  start.catch(() => undefined)
  let closing: Promise<void> | undefined
  // Once: the server may have given the handle to another by the second time.
  const close = () => (closing ??= remote.close(handle).catch(() => undefined))
  try {
    const sizeBytes = rangeLength(await remote.size(handle), options, place)
    const short = () => new SinkError('corrupt', 'became shorter while it was read', place)
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* read(remote, handle, offset, offset + sizeBytes, short, start)
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
  start: Promise<Buffer>,
): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Buffer>[] = []
  let next = from
  try {
    for (;;) {
      while (ahead.length < WINDOW_REQUESTS && next < to) {
        const begun = next === from ? start : undefined
        const piece = readWhole(remote, handle, next, Math.min(REQUEST_BYTES, to - next), short, begun)
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

/** As much as the server answers at once, up to the end. */
async function readSome(remote: Remote, handle: Buffer, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  return length > 0 ? bytes.subarray(0, await remote.read(handle, bytes, position)) : bytes
}

/** A server may answer with less than was asked for. @param begun - what was read from there already */
async function readWhole(
  remote: Remote,
  handle: Buffer,
  position: number,
  length: number,
  short: () => SinkError,
  begun?: Promise<Buffer>,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = (await begun)?.copy(bytes, 0, 0, length) ?? 0
  while (at < length) {
    const got = await remote.read(handle, bytes.subarray(at), position + at)
    if (got === 0) throw short()
    at += got
  }
  return bytes
}

import { checkMostBytes, type ReadOptions, SinkError } from '@pipe-backup/sink'
import type { Remote } from './remote.ts'

const REQUEST_BYTES = 255 * 1024
const WINDOW_REQUESTS = 16

/** Bytes of a file on their way. */
export interface Range {
  readonly length: number
  /** In order; sixteen requests ahead of who reads. */
  readonly pieces: AsyncIterable<Uint8Array>
  /** Closes the file, for who does not begin to read. */
  readonly close: () => Promise<void>
}

/** @throws SinkError `range`, `corrupt`; the server's errors */
export async function readRange(
  remote: Remote,
  path: string,
  { offset = 0, length, mostBytes, onBytes }: ReadOptions,
  sink: string,
  key: string,
): Promise<Range> {
  const handle = await remote.open(path, 'r')
  let closing: Promise<void> | undefined
  // Once: the server may have given the handle to another by the second time.
  const close = () => (closing ??= remote.close(handle).catch(() => undefined))
  try {
    const size = await remote.size(handle)
    const wanted = length ?? size - offset
    if (offset < 0 || wanted < 0 || offset + wanted > size) {
      throw new SinkError('range', `has ${size} bytes, wanted ${wanted} from ${offset}`, { sink, key })
    }
    checkMostBytes(wanted, mostBytes, { sink, key })
    const short = () => new SinkError('corrupt', 'became shorter while it was read', { sink, key })
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* read(remote, handle, offset, offset + wanted, onBytes, short)
      } finally {
        await close()
      }
    }
    return { length: wanted, pieces: pieces(), close }
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
  onBytes: ReadOptions['onBytes'],
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
      await onBytes?.(piece.length)
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

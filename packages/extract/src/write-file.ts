import { closeSync, constants, ftruncateSync, openSync, unlinkSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import type { FileEntry } from '@pipe-backup/source'

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const HOLE_BYTES = 4096
const ZEROS = Buffer.alloc(HOLE_BYTES)
/** Pieces up to this are written at once; larger ones on the thread pool, so that the rest of the program goes on. */
const AT_ONCE_BYTES = 256 * 1024
const writeAsync = promisify(write)

/**
 * A time as Node's utimes takes it. Whole seconds are exact; of the rest a double holds today's times to a quarter of a microsecond.
 * Node takes a number below zero for now: times before 1970 are dates, exact to the millisecond.
 */
export function toTime(ns: bigint): number | Date {
  if (ns < 0n) return new Date(Number(ns / 1_000_000n))
  return Number(ns / 1_000_000_000n) + Number(ns % 1_000_000_000n) / 1e9
}

/**
 * Writes a new file. It never replaces or follows anything: what is at `path` must have been removed.
 * @param setMetadata - called with the file when it has its bytes, and its owner alone may read it
 * @param memory - for the bytes on their way
 * @returns bytes written
 * @throws what reading throws, and the system's errors; the file is then removed again
 */
export async function writeFile(
  path: Buffer,
  entry: FileEntry,
  setMetadata: (file: number) => void,
  memory: Buffer,
  signal?: AbortSignal,
): Promise<number> {
  const reader = await entry.open()
  let file: number | undefined
  try {
    file = openSync(path, FLAGS, 0o600)
    let at = 0
    for (;;) {
      const step = reader.read(memory)
      const got = typeof step === 'number' ? step : await step
      if (got === 0) break
      signal?.throwIfAborted()
      if (entry.sparse) writeSparse(file, memory.subarray(0, got), at)
      else await writeAll(file, memory.subarray(0, got), at)
      at += got
    }
    const end = reader.finish()
    if (end instanceof Promise) await end
    if (entry.sparse) ftruncateSync(file, at)
    setMetadata(file)
    closeSync(file)
    return at
  } catch (error) {
    if (file !== undefined) {
      closeSync(file)
      unlinkSync(path)
    }
    throw error
  } finally {
    const closing = reader.close()
    if (closing instanceof Promise) await closing
  }
}

async function writeAll(file: number, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done +=
      bytes.length <= AT_ONCE_BYTES
        ? writeSync(file, bytes, done, bytes.length - done, at + done)
        : (await writeAsync(file, bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}

/** Leaves out blocks of zeros: they become holes when the length is set. */
function writeSparse(file: number, bytes: Buffer, at: number): void {
  let from = 0
  const flush = (to: number) => {
    for (let done = from; done < to; ) done += writeSync(file, bytes, done, to - done, at + done)
  }
  // Blocks are those of the file, wherever this piece begins in one.
  for (
    let i = (HOLE_BYTES - (at % HOLE_BYTES)) % HOLE_BYTES;
    i + HOLE_BYTES <= bytes.length;
    i += HOLE_BYTES
  ) {
    if (bytes.compare(ZEROS, 0, HOLE_BYTES, i, i + HOLE_BYTES) !== 0) continue
    flush(i)
    from = i + HOLE_BYTES
  }
  flush(bytes.length)
}

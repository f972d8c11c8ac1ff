import { closeSync, constants, fsync, ftruncateSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import type { FileEntry } from '@pipe-backup/source'

/** It must not be there, and nothing is followed. */
export const NEW_FILE_FLAGS: number =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const HOLE_BYTES = 4096
const ZEROS = Buffer.alloc(HOLE_BYTES)
/** Pieces up to this are written at once; larger ones on the thread pool, so that the rest of the program goes on. */
const AT_ONCE_BYTES = 256 * 1024
const writeAsync = promisify(write)
const fsyncAsync = promisify(fsync)

/** What the writing of a file needs beside the entry. */
export interface FileWriting {
  /** Called with the file when it has its bytes, and its owner alone may read it. */
  readonly setMetadata: (file: number) => void
  /** For the bytes on their way. */
  readonly memory: Buffer
  /** Whether the bytes must be on the disk before this is done. */
  readonly sync: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Writes a new file. It never replaces or follows anything: nothing may be at `path`, and what is there after a failure is the caller's to remove.
 * @returns bytes written
 * @throws what reading throws, and the system's errors
 */
export async function writeFile(path: Buffer, entry: FileEntry, writing: FileWriting): Promise<number> {
  // Before the entry is opened: where nothing may be written, nothing is fetched either.
  const file = openSync(path, NEW_FILE_FLAGS, 0o600)
  try {
    const at = await copyInto(file, entry, writing)
    writing.setMetadata(file)
    if (writing.sync) await fsyncAsync(file)
    return at
  } finally {
    closeSync(file)
  }
}

async function copyInto(file: number, entry: FileEntry, { memory, signal }: FileWriting): Promise<number> {
  const reader = await entry.open()
  try {
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
    return at
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

import {
  type BigIntStats,
  closeSync,
  close as closeWithCallback,
  fstatSync,
  fstat as fstatWithCallback,
  lstatSync,
  openSync,
  open as openWithCallback,
  readdirSync,
  readlinkSync,
  readSync,
  read as readWithCallback,
} from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isLongPath, withPath } from './long-path.ts'
import type { Now } from './steps.ts'

/**
 * How a file system is called. A local disk at once: it answers sooner than another thread could be asked. One behind a
 * server, or a program, that may be gone: in another thread, as the call may never return, and would take all else with it.
 */
export interface FileCalls {
  readonly isLocal: boolean
  lstat(absolute: Buffer): Now<BigIntStats>
  /** Names, one character (U+0001 to U+00FF) for each byte. */
  list(absolute: Buffer): Now<string[]>
  readlink(absolute: Buffer): Now<Uint8Array>
  open(absolute: Buffer, flags: number): Now<number>
  fstat(fd: number): Now<BigIntStats>
  /** From where the last one ended. */
  read(fd: number, into: Uint8Array, length: number): Now<number>
  close(fd: number): Now<void>
}

export const LOCAL: FileCalls = {
  isLocal: true,
  lstat: (absolute) => withPath(absolute, lstatNow),
  list: (absolute) => withPath(absolute, listNow),
  readlink: (absolute) => withPath(absolute, readlinkNow),
  open: (absolute, flags) => withPath(absolute, (path) => openSync(path, flags)),
  fstat: (fd) => fstatSync(fd, { bigint: true }),
  read: (fd, into, length) => readSync(fd, into, 0, length, null),
  close: closeSync,
}

const openLater = promisify(openWithCallback)
const closeLater = promisify(closeWithCallback)
const readLater = promisify(readWithCallback)
const fstatLater = promisify((fd: number, done: (error: Error | null, stat: BigIntStats) => void): void =>
  fstatWithCallback(fd, { bigint: true }, done),
)

/**
 * Calls that are given up when the signal fires, with its reason. The thread stays with the call: one for each file system that
 * hangs, as whoever was given up asks no more. A path past PATH_MAX is walked at once, in parts, as on a local disk.
 */
export function remoteCalls(signal: AbortSignal | undefined): FileCalls {
  return {
    isLocal: false,
    lstat: (absolute) =>
      isLongPath(absolute) ? LOCAL.lstat(absolute) : within(signal, () => lstat(absolute, { bigint: true })),
    list: (absolute) =>
      isLongPath(absolute) ? LOCAL.list(absolute) : within(signal, () => readdir(absolute, 'latin1')),
    readlink: (absolute) =>
      isLongPath(absolute)
        ? LOCAL.readlink(absolute)
        : within(signal, () => readlink(absolute, { encoding: 'buffer' })),
    open: (absolute, flags) =>
      isLongPath(absolute) ? LOCAL.open(absolute, flags) : within(signal, () => openLater(absolute, flags)),
    fstat: (fd) => within(signal, () => fstatLater(fd)),
    read: async (fd, into, length) =>
      (await within(signal, () => readLater(fd, into, 0, length, null))).bytesRead,
    // Not given up before it was asked: what is open must be closed, whatever has happened.
    close: (fd) => giveUpOn(signal, closeLater(fd)).catch(() => undefined),
  }
}

/** @throws the signal's reason, as soon as it fires */
export async function within<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted()
  return await giveUpOn(signal, ask())
}

function giveUpOn<T>(signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> {
  if (signal === undefined) return answer
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

function lstatNow(path: Buffer): BigIntStats {
  return lstatSync(path, { bigint: true })
}

function listNow(path: Buffer): string[] {
  return readdirSync(path, 'latin1')
}

function readlinkNow(path: Buffer): Uint8Array {
  return readlinkSync(path, { encoding: 'buffer' })
}

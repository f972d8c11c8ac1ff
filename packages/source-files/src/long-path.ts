import { closeSync, constants, openSync } from 'node:fs'

const SLASH = 0x2f
/** The longest path a Linux system call takes: PATH_MAX is 4096 with the NUL at its end (limits.h). */
const MAX_PATH_BYTES = 4095
/** Room for `/proc/self/fd/N/` in front of a part. */
const MAX_PART_BYTES = MAX_PATH_BYTES - 32
/** O_PATH, which Node does not name: asks for no permission to list, only to pass. Linux, all CPUs that Node runs on. */
const O_PATH = 0o10000000

/** Whether system calls take it in parts only. */
export function isLongPath(absolute: Buffer): boolean {
  return absolute.length > MAX_PATH_BYTES
}

/**
 * Calls `use` with a path that system calls accept and that leads to `absolute`, however long that is: a path past
 * PATH_MAX is walked in parts, each directory opened from the one before it through /proc/self/fd.
 * The short path is good for the time of the call only.
 * @throws what `use` throws; a system error when a directory on the way can't be opened.
 */
export function withPath<T>(absolute: Buffer, use: (path: Buffer) => T): T {
  if (!isLongPath(absolute)) return use(absolute)
  let rest = absolute
  let directory: number | undefined
  try {
    while (rest.length > MAX_PART_BYTES) {
      const cut = rest.lastIndexOf(SLASH, MAX_PART_BYTES)
      const next = openSync(below(directory, rest.subarray(0, cut)), O_PATH | constants.O_DIRECTORY)
      if (directory !== undefined) closeSync(directory)
      directory = next
      rest = rest.subarray(cut + 1)
    }
    return use(below(directory, rest))
  } finally {
    if (directory !== undefined) closeSync(directory)
  }
}

function below(directory: number | undefined, path: Buffer): Buffer {
  return directory === undefined ? path : Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), path])
}

import type { BigIntStats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { FileCalls } from './file-calls.ts'
import { isLongPath } from './long-path.ts'

/** From this size on a directory is listed in another thread: it takes milliseconds (300,000 names: 250). */
const LARGE_DIRECTORY_BYTES = 64 * 1024
/** An automounter puts another directory in its place when it is first listed. Who does so again is no automounter. */
const MAX_TRIES = 3

export interface Listing {
  /**
   * In the order of their bytes, one character (U+0001 to U+00FF) for each byte: `latin1` loses nothing, takes a
   * quarter of the memory that Buffers would, and its strings compare as their bytes do.
   */
  readonly names: readonly string[]
  readonly stat: BigIntStats
}

/**
 * Lists a directory, which must be the one that was looked at, and not what a link put in its place leads to.
 * @returns `undefined` when it is no directory any more
 * @throws system errors
 */
export async function listDirectory(
  absolute: Buffer,
  seen: BigIntStats,
  calls: FileCalls,
): Promise<Listing | undefined> {
  let before = seen
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const isLarge = before.size >= LARGE_DIRECTORY_BYTES && calls.isLocal && !isLongPath(absolute)
    const names = await (isLarge ? readdir(absolute, 'latin1') : calls.list(absolute))
    const after = await calls.lstat(absolute)
    if (!after.isDirectory()) return undefined
    // libuv sorts as strcmp does, but does not promise it; of sorted names the sort is linear.
    if (after.ino === before.ino && after.dev === before.dev)
      return { names: eachOnce(names.sort()), stat: after }
    before = after
  }
  return undefined
}

/** A file system that a program serves may list a name twice. */
function eachOnce(sorted: string[]): string[] {
  return sorted.some((name, i) => name === sorted[i + 1]) ? [...new Set(sorted)] : sorted
}

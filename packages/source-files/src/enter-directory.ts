import type { BigIntStats } from 'node:fs'
import { CACHE_TAG, isCacheTag } from './cache-directory.ts'
import type { FileCalls } from './file-calls.ts'
import type { FilesOptions } from './files.ts'
import { listDirectory } from './list-directory.ts'
import type { Claim, Frame } from './route.ts'

const SLASH = Buffer.from('/')

/** What is to be walked in a directory. */
export interface Inside {
  /** As it was when it was listed. */
  readonly stat: BigIntStats
  /** Absolute path with a `/` at its end. */
  readonly prefix: Buffer
  /** Sorted; one character for each byte. */
  readonly names: readonly string[]
  /** On what is in it. */
  readonly claims: readonly Claim[]
  /** Whether more is in it, which its tag says to be a cache. */
  readonly isCache: boolean
}

/**
 * What is to be walked in a directory.
 * @param seen - what it was when it was looked at
 * @returns `undefined` when nobody takes what is in it
 * @throws system errors
 */
export async function enterDirectory(
  absolute: Buffer,
  seen: BigIntStats,
  claims: readonly Claim[],
  calls: FileCalls,
  { excludeCaches = true, oneFileSystem = false }: FilesOptions,
): Promise<Inside | 'replaced' | undefined> {
  if (oneFileSystem && claims.every(({ device }) => device !== seen.dev)) return undefined
  const listing = await listDirectory(absolute, seen, calls)
  if (listing === undefined) return 'replaced'
  const { names, stat } = listing
  const prefix = absolute.length === 1 ? absolute : Buffer.concat([absolute, SLASH])
  const isItself = (claim: Claim) => claim.root.length === absolute.length
  // An automounter may have mounted a configured path just now: its device is that of what is there.
  const inside = oneFileSystem
    ? claims
        .map((claim) => (isItself(claim) ? { ...claim, device: stat.dev } : claim))
        .filter(({ device }) => device === stat.dev)
    : claims
  if (inside.length === 0) return undefined
  if (
    !excludeCaches ||
    !names.includes(CACHE_TAG) ||
    !(await isCacheTag(Buffer.concat([prefix, Buffer.from(CACHE_TAG)]), calls))
  ) {
    return { prefix, names, claims: inside, stat, isCache: false }
  }
  const named = inside.filter(isItself)
  return named.length > 0
    ? { prefix, names, claims: named, stat, isCache: false }
    : { prefix, names: [CACHE_TAG], claims: inside, stat, isCache: names.length > 1 }
}

/**
 * Whether a directory that was walked is not another one by now. One that is gone was reported, name by name. On some
 * overlay file systems the number of a directory changes while it is the same: its time of birth does not.
 */
export async function isStillThere(
  { prefix, stat: seen, calls }: Pick<Frame, 'prefix' | 'stat' | 'calls'>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const now = await calls.lstat(prefix.length === 1 ? prefix : prefix.subarray(0, -1))
    if (now.ino === seen.ino && now.dev === seen.dev) return true
    return seen.birthtimeNs !== 0n && now.birthtimeNs === seen.birthtimeNs
  } catch {
    signal?.throwIfAborted()
    return true
  }
}

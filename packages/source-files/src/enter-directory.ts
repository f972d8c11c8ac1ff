import { type BigIntStats, lstatSync } from 'node:fs'
import { CACHE_TAG, isCacheTag } from './cache-directory.ts'
import type { FilesOptions } from './files.ts'
import { listDirectory } from './list-directory.ts'
import { withPath } from './long-path.ts'
import type { Claim, Frame } from './route.ts'

const SLASH = Buffer.from('/')

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
  { excludeCaches = true, oneFileSystem = false }: FilesOptions,
): Promise<Frame | 'replaced' | undefined> {
  if (oneFileSystem && claims.every(({ device }) => device !== seen.dev)) return undefined
  const listing = await listDirectory(absolute, seen)
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
    !isCacheTag(Buffer.concat([prefix, Buffer.from(CACHE_TAG)]))
  ) {
    return { prefix, names, claims: inside, stat }
  }
  const named = inside.filter(isItself)
  return named.length > 0
    ? { prefix, names, claims: named, stat }
    : { prefix, names: [CACHE_TAG], claims: inside, stat }
}

/**
 * Whether a directory that was walked is not another one by now. One that is gone was told of, name by name. On some
 * overlay file systems the number of a directory changes while it is the same: its time of birth does not.
 */
export function isStillThere(prefix: Buffer, seen: BigIntStats): boolean {
  try {
    const now = withPath(prefix.length === 1 ? prefix : prefix.subarray(0, -1), look)
    if (now.ino === seen.ino && now.dev === seen.dev) return true
    return seen.birthtimeNs !== 0n && now.birthtimeNs === seen.birthtimeNs
  } catch {
    return true
  }
}

function look(path: Buffer): BigIntStats {
  return lstatSync(path, { bigint: true })
}

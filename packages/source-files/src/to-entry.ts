import { type BigIntStats, constants, readlinkSync } from 'node:fs'
import type { Attribute, Entry } from '@pipe-backup/source'
import { report } from './failure.ts'
import { withPath } from './long-path.ts'
import { type Walk, WalkedFile } from './walked-file.ts'

/**
 * What was found at a path as an entry; `undefined` for a socket, which exists only while its program runs.
 * @throws system errors: a symbolic link may have vanished since
 */
export function toEntry(absolute: Buffer, stat: BigIntStats, walk: Walk): Entry | undefined {
  const path = absolute.subarray(1)
  const type = Number(stat.mode) & constants.S_IFMT
  if (type === constants.S_IFREG && stat.nlink <= 1n) return new WalkedFile(absolute, path, stat, walk)
  const uid = Number(stat.uid)
  const gid = Number(stat.gid)
  const metadata = {
    path,
    mode: Number(stat.mode) & 0o7777,
    uid,
    gid,
    user: walk.owners.user(uid),
    group: walk.owners.group(gid),
    mtimeNs: stat.mtimeNs,
  }
  switch (type) {
    case constants.S_IFREG: {
      const linkTo = walk.links.earlier(stat, path)
      if (linkTo === undefined) return new WalkedFile(absolute, path, stat, walk)
      return { type: 'hardlink', ...metadata, linkTo }
    }
    case constants.S_IFDIR:
      return { type: 'directory', ...metadata, attributes: attributesOf(absolute, stat, walk) }
    case constants.S_IFLNK: {
      const target = withPath(absolute, readTarget)
      return { type: 'symlink', ...metadata, attributes: attributesOf(absolute, stat, walk), target }
    }
    case constants.S_IFIFO:
      return { type: 'fifo', ...metadata, attributes: attributesOf(absolute, stat, walk) }
    case constants.S_IFCHR:
    case constants.S_IFBLK: {
      const kind = type === constants.S_IFCHR ? 'character-device' : 'block-device'
      const numbers = toDeviceNumbers(stat.rdev)
      return { type: kind, ...metadata, attributes: attributesOf(absolute, stat, walk), ...numbers }
    }
    default:
      return undefined
  }
}

/** Of what is not opened: nothing remembers it from run to run, so it is asked each time. */
function attributesOf(
  absolute: Buffer,
  stat: BigIntStats,
  { attributes, onProblem }: Walk,
): readonly Attribute[] | undefined {
  const found = attributes.read(absolute, stat)
  if (found.failure !== undefined) report(found.failure, absolute.subarray(1), onProblem)
  return found.attributes
}

function readTarget(path: Buffer): Uint8Array {
  return readlinkSync(path, { encoding: 'buffer' })
}

/** Linux splits a 64-bit `dev_t` so: see gnu_dev_major and gnu_dev_minor in glibc's bits/sysmacros.h. */
function toDeviceNumbers(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}

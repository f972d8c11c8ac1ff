import { type BigIntStats, constants } from 'node:fs'
import type { Attribute, Entry } from '@pipe-backup/source'
import { toDeviceNumbers } from './device-numbers.ts'
import { report } from './failure.ts'
import type { FileCalls } from './file-calls.ts'
import { type Now, run, type Steps, wait } from './steps.ts'
import { type Walk, WalkedFile } from './walked-file.ts'

/**
 * What was found at a path as an entry; `undefined` for a socket, which exists only while its program runs.
 * @throws system errors: a symbolic link may have vanished since
 */
export function toEntry(
  absolute: Buffer,
  stat: BigIntStats,
  walk: Walk,
  calls: FileCalls,
): Now<Entry | undefined> {
  const type = Number(stat.mode) & constants.S_IFMT
  if (type === constants.S_IFREG && stat.nlink <= 1n)
    return new WalkedFile(absolute, absolute.subarray(1), stat, walk, calls)
  return run(toOtherEntry(absolute, stat, walk, calls))
}

function* toOtherEntry(
  absolute: Buffer,
  stat: BigIntStats,
  walk: Walk,
  calls: FileCalls,
): Steps<Entry | undefined> {
  const path = absolute.subarray(1)
  const type = Number(stat.mode) & constants.S_IFMT
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
      if (linkTo === undefined) return new WalkedFile(absolute, path, stat, walk, calls)
      return { type: 'hardlink', ...metadata, linkTo }
    }
    case constants.S_IFDIR:
      return { type: 'directory', ...metadata, attributes: yield* attributesOf(absolute, stat, walk, calls) }
    case constants.S_IFLNK: {
      const target = yield* wait(calls.readlink(absolute))
      const attributes = yield* attributesOf(absolute, stat, walk, calls)
      return { type: 'symlink', ...metadata, attributes, target }
    }
    case constants.S_IFIFO:
      return { type: 'fifo', ...metadata, attributes: yield* attributesOf(absolute, stat, walk, calls) }
    case constants.S_IFCHR:
    case constants.S_IFBLK: {
      const kind = type === constants.S_IFCHR ? 'character-device' : 'block-device'
      const attributes = yield* attributesOf(absolute, stat, walk, calls)
      return { type: kind, ...metadata, attributes, ...toDeviceNumbers(stat.rdev) }
    }
    default:
      return undefined
  }
}

/** Of what is not opened: nothing remembers it from run to run, so it is asked each time. */
function* attributesOf(
  absolute: Buffer,
  stat: BigIntStats,
  { attributes, onProblem }: Walk,
  calls: FileCalls,
): Steps<readonly Attribute[] | undefined> {
  const found = yield* attributes.read(absolute, stat, calls)
  if (found.failure !== undefined) report(found.failure, absolute.subarray(1), onProblem)
  return found.attributes
}

import type { Entry } from '@pipe-backup/source'
import type { Header } from 'tar-stream'
import { isPlain, isPlainOwner } from './pax.ts'

/** What tar-stream takes. */
export type TarHeader = Partial<Header> & Pick<Header, 'name'>

const TYPES = {
  file: 'file',
  hardlink: 'link',
  symlink: 'symlink',
  'character-device': 'character-device',
  'block-device': 'block-device',
  directory: 'directory',
  fifo: 'fifo',
} as const
/** tar-stream takes a mode of 0 for none; it writes the permissions alone. */
const REGULAR = 0o100000
const MAX_SECONDS = 0x7fffffff

/**
 * The header of an entry as tar-stream takes it. What it can't hold stands in the pax records before it, and readers take it from there.
 * @param name - the path as the archive has it
 */
export function tarHeader(entry: Entry, name: Uint8Array): TarHeader {
  const link = entry.type === 'symlink' ? entry.target : entry.type === 'hardlink' ? entry.linkTo : undefined
  const seconds = Number(entry.mtimeNs / 1_000_000_000n)
  return {
    name: plain(name),
    type: TYPES[entry.type],
    size: entry.type === 'file' ? (entry.size ?? 0) : 0,
    mode: entry.mode | REGULAR,
    uid: entry.uid,
    gid: entry.gid,
    mtime: new Date(Math.min(Math.max(0, seconds), MAX_SECONDS) * 1000),
    uname: isPlainOwner(entry.user) ? entry.user : '',
    gname: isPlainOwner(entry.group) ? entry.group : '',
    ...(link && { linkname: plain(link) }),
    ...('major' in entry && { devmajor: entry.major, devminor: entry.minor }),
  }
}

/** The header of pax records. */
export function paxHeader(size: number): TarHeader {
  return { name: 'PaxHeader', size, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }
}

function plain(path: Uint8Array): string {
  return isPlain(path) ? Buffer.from(path).toString('latin1') : 'see-pax-header'
}

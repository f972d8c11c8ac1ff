import type { Entry } from '@pipe-backup/source'
import { attributeRecords } from './pax-attributes.ts'

const BILLION = 1_000_000_000n
/** What the octal fields of a header hold as tar-stream writes them: six digits, and eleven of a size. */
const MAX_NUMBER = 0o777777
const MAX_SIZE = 0o77777777777

/**
 * The pax records of an entry: everything that a ustar header can't say, or not exactly. Paths are raw bytes, also where they are
 * not UTF-8: GNU tar and libarchive take them as they are.
 * @see POSIX.1-2024, pax, "pax Extended Header"
 */
export function paxRecords(entry: Entry, name: Uint8Array): Buffer {
  const records: Buffer[] = []
  const add = (key: string | Buffer, value: Uint8Array | string) =>
    records.push(record(Buffer.from(key), Buffer.from(value)))
  const link = entry.type === 'symlink' ? entry.target : entry.type === 'hardlink' ? entry.linkTo : undefined
  if (!isUtf8(name) || (link && !isUtf8(link))) add('hdrcharset', 'BINARY')
  if (!isPlain(name)) add('path', name)
  if (link && !isPlain(link)) add('linkpath', link)
  add('mtime', decimalSeconds(entry.mtimeNs))
  if (entry.uid > MAX_NUMBER) add('uid', String(entry.uid))
  if (entry.gid > MAX_NUMBER) add('gid', String(entry.gid))
  if (!isPlainOwner(entry.user)) add('uname', entry.user)
  if (!isPlainOwner(entry.group)) add('gname', entry.group)
  if ('major' in entry && Math.max(entry.major, entry.minor) > MAX_NUMBER) {
    // As star and bsdtar have it; GNU tar knows no such numbers.
    add('SCHILY.devmajor', String(entry.major))
    add('SCHILY.devminor', String(entry.minor))
  }
  if (entry.type === 'file' && (entry.size ?? 0) > MAX_SIZE) add('size', String(entry.size))
  if (entry.type !== 'hardlink' && entry.attributes)
    for (const [keyword, value] of attributeRecords(entry.attributes)) add(keyword, value)
  return Buffer.concat(records)
}

/** A record begins with its own length, digits included. */
function record(key: Buffer, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(' '), key, Buffer.from('='), value, Buffer.from('\n')])
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

/** Exact: a number of seconds does not fit a double to the nanosecond. */
function decimalSeconds(ns: bigint): string {
  const sign = ns < 0n ? '-' : ''
  const size = ns < 0n ? -ns : ns
  const fraction = (size % BILLION).toString().padStart(9, '0').replace(/0+$/, '')
  return `${sign}${size / BILLION}${fraction && `.${fraction}`}`
}

/** Whether a ustar header can hold a path by itself: ASCII, and short. */
export function isPlain(path: Uint8Array): boolean {
  return path.length <= 100 && path.every((byte) => byte < 0x80)
}

/** Whether a ustar header can hold the name of a user or group. */
export function isPlainOwner(name: string): boolean {
  return name.length < 32 && /^[\x20-\x7e]*$/.test(name)
}

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.from(Buffer.from(bytes).toString()).equals(bytes)
}

import type { Entry } from '@pipe-backup/ui/api'
import type { ListedEntry } from '@pipe-backup/vault'
import { escapeBytes, escapeText } from '../terminal/escape-bytes.ts'
import { permissions } from '../terminal/long-listing.ts'
import { UsageError } from '../usage-error.ts'

const SLASH = 0x2f

/** A path as the page has it: names need not be UTF-8. */
export function pathToText(path: Uint8Array): string {
  return Buffer.from(path).toString('base64url')
}

/** @throws UsageError for what is no path */
export function pathFromText(text: string | undefined): Uint8Array {
  const path = Buffer.from(text ?? '', 'base64url')
  if (path.length > 0 && !path.includes(0)) return path
  throw new UsageError('the request names no path')
}

/** An entry as a list of the page shows it. */
export function listedToJson(entry: ListedEntry): Entry {
  const { path, type, mode, mtimeNs, user, uid, group, gid } = entry
  const time = new Date(Number(mtimeNs / 1_000_000n))
  return {
    name: escapeBytes(path.subarray(path.lastIndexOf(SLASH) + 1)),
    path: pathToText(path),
    type,
    mode: permissions(mode),
    owner: `${user === '' ? uid : escapeText(user)}:${group === '' ? gid : escapeText(group)}`,
    ...(!Number.isNaN(time.getTime()) && { mtime: time.toISOString() }),
    ...(type === 'file' && entry.size !== undefined && { size: entry.size }),
    ...(type === 'symlink' && { target: escapeBytes(entry.target) }),
    ...(type === 'hardlink' && { target: escapeBytes(entry.linkTo) }),
  }
}

/** As `listedToJson`, for one that stands by itself: with all of its path to be seen. */
export function aloneToJson(entry: ListedEntry): Entry {
  return { ...listedToJson(entry), shown: escapeBytes(entry.path) }
}

import type { Entry } from '@pipe-backup/source'
import type { ListedEntry } from '@pipe-backup/vault'
import { decodeUtf8, escapeBytes, escapeText } from './escape-bytes.ts'
import { formatTime } from './quantities.ts'

const TIME_WIDTH = '2026-11-28 10:00:00'.length
const LETTER: Readonly<Record<Entry['type'], string>> = {
  file: '-',
  hardlink: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  'character-device': 'c',
  'block-device': 'b',
}

/** An entry in one line, much as `ls -l` shows it. */
export function longLine(entry: ListedEntry): string {
  const owner = escapeText(entry.user === '' ? String(entry.uid) : entry.user)
  const group = escapeText(entry.group === '' ? String(entry.gid) : entry.group)
  const time = listedTime(entry.mtimeNs)
  return `${listedType(entry)} ${owner.padEnd(8)} ${group.padEnd(8)} ${sizeOf(entry).padStart(12)} ${time} ${escapeBytes(entry.path)}${suffix(entry)}`
}

/** A directory of which a snapshot has only what is in it, as `longLine` has others. */
export function inferredLine(path: Uint8Array): string {
  return `d${'?'.repeat(9)} ${'-'.padEnd(8)} ${'-'.padEnd(8)} ${'-'.padStart(12)} ${'-'.padEnd(TIME_WIDTH)} ${escapeBytes(path)}`
}

/** `-rw-r--r--`: type and permissions. */
export function listedType({ type, mode }: ListedEntry): string {
  return `${LETTER[type]}${permissions(mode)}`
}

/** An entry for programs: see the README for the fields. */
export function entryToJson(entry: ListedEntry): Readonly<Record<string, unknown>> {
  return {
    ...jsonPath('path', entry.path),
    type: entry.type,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    mtime: isoTime(entry.mtimeNs),
    mtimeNs: String(entry.mtimeNs),
    ...details(entry),
  }
}

function details(entry: ListedEntry): Readonly<Record<string, unknown>> {
  switch (entry.type) {
    case 'file':
      return { size: entry.size ?? null, unsteady: entry.unsteady || undefined }
    case 'symlink':
      return jsonPath('target', entry.target)
    case 'hardlink':
      return jsonPath('linkTo', entry.linkTo)
    case 'character-device':
    case 'block-device':
      return { major: entry.major, minor: entry.minor }
    case 'directory':
    case 'fifo':
      return {}
  }
}

/** JSON has no bytes: what is no UTF-8 also comes exactly, as base64. */
export function jsonPath(key: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  const text = decodeUtf8(bytes)
  if (text !== undefined) return { [key]: text }
  return { [key]: new TextDecoder().decode(bytes), [`${key}Base64`]: Buffer.from(bytes).toString('base64') }
}

/** As `formatTime`; a year of more than four digits, or before the first, as seconds since the epoch: `@9400000000000`. */
export function listedTime(mtimeNs: bigint): string {
  const time = new Date(Number(mtimeNs / 1_000_000n))
  const year = time.getFullYear()
  return year >= 0 && year <= 9999 ? formatTime(time) : `@${mtimeNs / 1_000_000_000n}`.padEnd(TIME_WIDTH)
}

/** ISO 8601, or null for a time that a Date can't hold. */
function isoTime(mtimeNs: bigint): string | null {
  const time = new Date(Number(mtimeNs / 1_000_000n))
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}

function sizeOf(entry: ListedEntry): string {
  switch (entry.type) {
    case 'file':
      return entry.size === undefined ? '?' : String(entry.size)
    case 'character-device':
    case 'block-device':
      return `${entry.major},${entry.minor}`
    case 'directory':
    case 'symlink':
    case 'hardlink':
    case 'fifo':
      return '-'
  }
}

/** What comes after a path: where a link points to, and what is to be known of the content. */
export function suffix(entry: ListedEntry): string {
  switch (entry.type) {
    case 'symlink':
      return ` -> ${escapeBytes(entry.target)}`
    case 'hardlink':
      return ` = ${escapeBytes(entry.linkTo)}`
    case 'file':
      return entry.unsteady === true ? '  (changed while it was read)' : ''
    case 'directory':
    case 'fifo':
    case 'character-device':
    case 'block-device':
      return ''
  }
}

/** `rwxr-sr-t`: permissions with the set-id bits and the sticky bit. */
export function permissions(mode: number): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift
    const execute = (bits & 1) !== 0
    const last = (mode & special) === 0 ? (execute ? 'x' : '-') : execute ? letter : letter.toUpperCase()
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${last}`
  }
  return triple(6, 0o4000, 's') + triple(3, 0o2000, 's') + triple(0, 0o1000, 't')
}

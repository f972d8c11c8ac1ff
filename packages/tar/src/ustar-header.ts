import type { Entry } from '@pipe-backup/source'
import { isPlain } from './pax.ts'

export const BLOCK_BYTES = 512
const MOST_OCTAL_7 = 0o7777777
const MOST_OCTAL_11 = 0o77777777777

const TYPE_FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
} as const

/**
 * The ustar header of an entry. What it can't hold stands in the pax records before it, and readers take it from there; our own writer
 * because tar-stream knows names as strings alone, and a name that is not UTF-8 would not survive.
 * @param name - the path as the archive has it
 * @see POSIX.1-2024, pax, "ustar Interchange Format"
 */
export function ustarHeader(entry: Entry, name: Uint8Array, size: number): Buffer {
  const link = entry.type === 'symlink' ? entry.target : entry.type === 'hardlink' ? entry.linkTo : undefined
  const header = Buffer.alloc(BLOCK_BYTES)
  header.set(isPlain(name) ? name : Buffer.from('see-pax-header'), 0)
  if (link) header.set(isPlain(link) ? link : Buffer.from('see-pax-header'), 157)
  const seconds = Number(entry.mtimeNs / 1_000_000_000n)
  const owner = (text: string) => (text.length < 32 ? text : '')
  header.write(owner(entry.user), 265, 31, 'latin1')
  header.write(owner(entry.group), 297, 31, 'latin1')
  octal(header, 100, 7, entry.mode)
  octal(header, 108, 7, Math.min(entry.uid, MOST_OCTAL_7))
  octal(header, 116, 7, Math.min(entry.gid, MOST_OCTAL_7))
  if ('major' in entry) {
    octal(header, 329, 7, entry.major)
    octal(header, 337, 7, entry.minor)
  }
  return finish(header, TYPE_FLAGS[entry.type], size, Math.max(0, seconds))
}

/** The header before pax records. */
export function paxHeader(size: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  header.write('PaxHeader', 0)
  octal(header, 100, 7, 0o644)
  octal(header, 108, 7, 0)
  octal(header, 116, 7, 0)
  return finish(header, 'x', size, 0)
}

function finish(header: Buffer, type: string, size: number, seconds: number): Buffer {
  octal(header, 124, 11, Math.min(size, MOST_OCTAL_11))
  octal(header, 136, 11, Math.min(seconds, MOST_OCTAL_11))
  header.write(type, 156)
  header.write('ustar\x0000', 257, 'latin1')
  // The sum is made with blanks in its own place.
  header.fill(' ', 148, 156)
  let sum = 0
  for (const byte of header) sum += byte
  octal(header, 148, 6, sum)
  header[154] = 0
  return header
}

function octal(header: Buffer, at: number, digits: number, value: number): void {
  header.write(value.toString(8).padStart(digits, '0'), at, digits, 'latin1')
}

/** How many zero bytes follow so many bytes of content. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

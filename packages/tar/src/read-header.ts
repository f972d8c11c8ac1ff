import { headerNumber } from './header-number.ts'
import { TarError } from './tar-error.ts'
import { BLOCK_BYTES } from './ustar-header.ts'

/** One block of an archive that describes what follows it. */
export interface Header {
  readonly type: string
  /** GNU's own format: its type `S` means what GNU means. */
  readonly gnu: boolean
  readonly name: Uint8Array
  readonly link: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** In bytes, as the header has it: pax records may know better. */
  readonly size: number
  readonly mtimeNs: bigint
  readonly user: string
  readonly group: string
  readonly major: number
  readonly minor: number
}

const CHECKSUM_AT = 148
const CHECKSUM_END = 156
const MAGIC_AT = 257
const SLASH = Buffer.from('/')
const USTAR = Buffer.from('ustar\0')
const GNU = Buffer.from('ustar  \0')
const STAR = Buffer.from('tar\0')

/**
 * What the header of a member says, in any of the formats that tar programs have written: that of Seventh Edition Unix, ustar, GNU's, star's.
 * @param block - 512 bytes that have their checksum; what is returned is a copy
 * @throws TarError `corrupt`
 * @see POSIX.1-2024, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"; star(5)
 */
export function readHeader(block: Uint8Array): Header {
  const ustar = has(block, MAGIC_AT, USTAR)
  const gnu = has(block, MAGIC_AT, GNU)
  const star = ustar && has(block, 508, STAR)
  const type = typeOf(block)
  // Old programs left anything at all in the fields of devices, and of owners' names, where they mean nothing.
  const device = type === '3' || type === '4'
  return {
    type,
    gnu,
    name: joined(ustar ? text(block, 345, star ? 131 : 155) : undefined, text(block, 0, 100)),
    link: text(block, 157, 100),
    mode: headerNumber(block, 100, 8, 'mode') & 0o7777,
    uid: natural(block, 108, 8, 'owner'),
    gid: natural(block, 116, 8, 'group'),
    size: sizeOf(block),
    mtimeNs: BigInt(headerNumber(block, 136, 12, 'time')) * 1_000_000_000n,
    user: ustar || gnu ? text(block, 265, 32).toString() : '',
    group: ustar || gnu ? text(block, 297, 32).toString() : '',
    major: device ? natural(block, 329, 8, 'device') : 0,
    minor: device ? natural(block, 337, 8, 'device') : 0,
  }
}

/** The type flag as a character; `0` also for the NUL of old programs. */
export function typeOf(block: Uint8Array): string {
  const flag = block[156]
  return flag === undefined || flag === 0 ? '0' : String.fromCharCode(flag)
}

/** In bytes. @throws TarError `corrupt` */
export function sizeOf(block: Uint8Array): number {
  return natural(block, 124, 12, 'size')
}

/** Whether the bytes of a block add up, as unsigned or, as some old programs had it, as signed bytes. */
export function hasChecksum(block: Uint8Array): boolean {
  let sum = (CHECKSUM_END - CHECKSUM_AT) * 0x20
  let high = 0
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = block[i] ?? 0
    sum += byte
    high += byte >> 7
  }
  for (let i = CHECKSUM_AT; i < CHECKSUM_END; i++) {
    const byte = block[i] ?? 0
    sum -= byte
    high -= byte >> 7
  }
  try {
    const wanted = headerNumber(block, CHECKSUM_AT, CHECKSUM_END - CHECKSUM_AT, 'checksum')
    return wanted === sum || wanted === sum - 256 * high
  } catch {
    return false
  }
}

export function isZero(block: Uint8Array): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0)
}

function natural(block: Uint8Array, at: number, length: number, what: string): number {
  const value = headerNumber(block, at, length, what)
  if (value < 0) throw new TarError('corrupt', `a header has a negative number as its ${what}`)
  return value
}

/** A field up to its first NUL, copied. */
function text(block: Uint8Array, at: number, length: number): Buffer {
  const most = at + length
  let end = at
  while (end < most && block[end] !== 0) end++
  const copy = Buffer.allocUnsafe(end - at)
  for (let i = at; i < end; i++) copy[i - at] = block[i] ?? 0
  return copy
}

function has(block: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (block[at + i] !== bytes[i]) return false
  return true
}

function joined(prefix: Buffer | undefined, name: Buffer): Buffer {
  return prefix === undefined || prefix.length === 0 ? name : Buffer.concat([prefix, SLASH, name])
}

import { TarError } from './tar-error.ts'

/** What a pax extended header says of an entry, as far as an entry can have it. */
export interface PaxRecords {
  /** Raw bytes by keyword. An empty value takes back what a global header said. */
  readonly values: ReadonlyMap<string, Uint8Array>
  /** Offsets and lengths of GNU's first sparse format, which repeats its keywords. */
  readonly segments: readonly number[]
  /** Values of extended attributes by their names as the keyword has them, one character for each byte. */
  readonly attributes: ReadonlyMap<string, Uint8Array>
}

/** What is kept beside extended attributes: comments and access times are passed over. */
const KEYWORDS: ReadonlySet<string> = new Set([
  'path',
  'linkpath',
  'size',
  'mtime',
  'uid',
  'gid',
  'uname',
  'gname',
  'GNU.sparse.major',
  'GNU.sparse.minor',
  'GNU.sparse.name',
  'GNU.sparse.realsize',
  'GNU.sparse.size',
  'GNU.sparse.map',
  'SCHILY.acl.access',
  'SCHILY.acl.default',
])
/** What star, GNU tar and bsdtar call an extended attribute: its name follows, its value is raw bytes. */
export const ATTRIBUTE_PREFIX = 'SCHILY.xattr.'
const MOST_DIGITS = 20
const BILLION = 1_000_000_000n
const EQUALS = 0x3d
const NEWLINE = 0x0a
const SPACE = 0x20

/**
 * The records of an extended header. Values stay bytes: a path is no text, whatever `hdrcharset` says.
 * @throws TarError `corrupt`
 * @see POSIX.1-2024, pax, "pax Extended Header"
 */
export function readPaxRecords(bytes: Uint8Array): PaxRecords {
  const values = new Map<string, Uint8Array>()
  const segments: number[] = []
  const attributes = new Map<string, Uint8Array>()
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(SPACE, at)
    const length = space < 0 ? 0 : natural(bytes.subarray(at, space), 'length')
    const end = at + length
    const equals = bytes.indexOf(EQUALS, space)
    if (end > bytes.length || equals < 0 || equals >= end - 1 || bytes[end - 1] !== NEWLINE)
      throw new TarError('corrupt', 'a pax header is damaged')
    const keyword = Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1')
    const value = bytes.subarray(equals + 1, end - 1)
    if (KEYWORDS.has(keyword)) values.set(keyword, value.slice())
    else if (keyword.startsWith(ATTRIBUTE_PREFIX))
      attributes.set(keyword.slice(ATTRIBUTE_PREFIX.length), value.slice())
    else if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') {
      if ((segments.length % 2 === 0) !== (keyword === 'GNU.sparse.offset'))
        throw new TarError('corrupt', 'a map of holes is damaged')
      segments.push(natural(value, keyword))
    }
    at = end
  }
  return { values, segments, attributes }
}

/** Those of a later header win. */
export function joinPaxRecords(first: PaxRecords | undefined, then: PaxRecords): PaxRecords {
  if (!first) return then
  return {
    values: new Map([...first.values, ...then.values]),
    segments: then.segments.length > 0 ? then.segments : first.segments,
    attributes:
      then.attributes.size > 0 ? new Map([...first.attributes, ...then.attributes]) : first.attributes,
  }
}

/** The value of a keyword; undefined where there is none, or an empty one. */
export function paxValue(records: PaxRecords | undefined, keyword: string): Uint8Array | undefined {
  const value = records?.values.get(keyword)
  return value && value.length > 0 ? value : undefined
}

/** @throws TarError `corrupt` */
export function paxNumber(records: PaxRecords | undefined, keyword: string): number | undefined {
  const value = paxValue(records, keyword)
  return value && natural(value, keyword)
}

/** Seconds with a fraction, as nanoseconds; what is finer is cut off. @throws TarError `corrupt` */
export function paxTime(records: PaxRecords | undefined, keyword: string): bigint | undefined {
  const value = paxValue(records, keyword)
  if (!value) return undefined
  const text = Buffer.from(value.subarray(0, 3 * MOST_DIGITS)).toString('latin1')
  const [, sign, seconds, fraction = ''] = /^(-?)(\d{1,20})(?:\.(\d*))?$/.exec(text) ?? []
  if (seconds === undefined) throw new TarError('corrupt', `a pax header has no time as its ${keyword}`)
  const ns = BigInt(seconds) * BILLION + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return sign === '-' ? -ns : ns
}

/** A number of decimal digits and nothing else. @throws TarError `corrupt` */
export function natural(digits: Uint8Array, what: string): number {
  let value = 0
  for (const byte of digits) {
    if (byte < 0x30 || byte > 0x39) value = Number.NaN
    value = value * 10 + (byte - 0x30)
  }
  if (digits.length === 0 || digits.length > MOST_DIGITS || !Number.isSafeInteger(value))
    throw new TarError('corrupt', `a pax header has no number as its ${what}`)
  return value
}

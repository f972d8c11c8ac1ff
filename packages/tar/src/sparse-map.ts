import type { ByteInput } from './byte-input.ts'
import { headerNumber } from './header-number.ts'
import { natural, type PaxRecords, paxNumber, paxValue } from './pax-records.ts'
import { TarError } from './tar-error.ts'
import { BLOCK_BYTES } from './ustar-header.ts'

/** Where the stored bytes of a file with holes belong. */
export interface SparseMap {
  /** Offset and length in bytes of one stretch after the other, ascending. */
  readonly segments: readonly number[]
  /** The file's length in bytes, holes and all. */
  readonly size: number
  /** How many of the entry's stored bytes the map itself took. */
  readonly mapBytes: number
}

/** Far more stretches than programs write for one file; their map takes 16 MiB. */
const MOST_SEGMENTS = 1024 * 1024
/** Of a pair of numbers in a header: 12 digits each. */
const PAIR_BYTES = 24

/**
 * The map of a GNU entry of type `S`: four stretches in the header, and in blocks behind it as many more as there are.
 * @see GNU tar manual, "Old GNU Format"
 */
export async function gnuSparseMap(header: Uint8Array, input: ByteInput): Promise<SparseMap> {
  const segments: number[] = []
  const size = headerNumber(header, 483, 12, 'length')
  addPairs(segments, header, 386, 4)
  for (let more = header[482] !== 0; more; ) {
    const block = await input.take(BLOCK_BYTES)
    if (block.length < BLOCK_BYTES) throw new TarError('truncated', 'the archive ends in a map of holes')
    addPairs(segments, block, 0, 21)
    more = block[504] !== 0
  }
  return { segments, size, mapBytes: 0 }
}

function addPairs(segments: number[], block: Uint8Array, at: number, count: number): void {
  for (let i = at; i < at + count * PAIR_BYTES; i += PAIR_BYTES) {
    if (block[i] === 0) continue
    segments.push(headerNumber(block, i, 12, 'stretch'), headerNumber(block, i + 12, 12, 'stretch'))
  }
  bounded(segments.length / 2)
}

/**
 * The map of an entry with GNU's pax records, in whichever of its three formats; undefined for an entry without.
 * @see GNU tar manual, "Storing Sparse Files"
 */
export async function paxSparseMap(
  records: PaxRecords | undefined,
  input: ByteInput,
  storedBytes: number,
): Promise<SparseMap | undefined> {
  if (paxNumber(records, 'GNU.sparse.major') === 1) {
    const size = paxNumber(records, 'GNU.sparse.realsize')
    if (size === undefined) throw new TarError('corrupt', 'an entry with holes does not say how long it is')
    return { ...(await leadingMap(input, storedBytes)), size }
  }
  const size = paxNumber(records, 'GNU.sparse.size')
  if (!records || size === undefined) return undefined
  const map = paxValue(records, 'GNU.sparse.map')
  const segments = map
    ? Buffer.from(map)
        .toString('latin1')
        .split(',')
        .map((digits) => natural(Buffer.from(digits, 'latin1'), 'stretch'))
    : records.segments
  return { segments, size, mapBytes: 0 }
}

/** Format 1.0: the map is the beginning of the bytes, decimal numbers on lines of their own, filled up to whole blocks. */
async function leadingMap(input: ByteInput, storedBytes: number): Promise<Omit<SparseMap, 'size'>> {
  const segments: number[] = []
  let wanted: number | undefined
  let digits: number[] = []
  let mapBytes = 0
  while (wanted === undefined || segments.length < wanted) {
    const block = await input.take(BLOCK_BYTES)
    if (block.length < BLOCK_BYTES) throw new TarError('truncated', 'the archive ends in a map of holes')
    mapBytes += BLOCK_BYTES
    if (mapBytes > storedBytes) throw new TarError('corrupt', 'a map of holes is longer than its entry')
    for (const byte of block) {
      if (segments.length === wanted) break
      if (byte !== 0x0a) {
        digits.push(byte)
        continue
      }
      const number = natural(Uint8Array.from(digits), 'stretch')
      digits = []
      if (wanted === undefined) wanted = 2 * bounded(number)
      else segments.push(number)
    }
    if (digits.length > BLOCK_BYTES) throw new TarError('corrupt', 'a map of holes is damaged')
  }
  return { segments, mapBytes }
}

function bounded(count: number): number {
  if (count <= MOST_SEGMENTS) return count
  throw new TarError('too-large', `a file is in more than ${MOST_SEGMENTS} pieces between its holes`)
}

/** @throws TarError `corrupt` unless the stretches ascend, lie within the file and together are what is stored */
export function checkSparseMap(map: SparseMap, storedBytes: number): void {
  const { segments, size } = map
  let end = 0
  let sum = map.mapBytes
  for (let i = 0; i < segments.length; i += 2) {
    const offset = segments[i] ?? -1
    const length = segments[i + 1] ?? -1
    if (offset < end || length < 0 || !Number.isSafeInteger(offset + length)) end = Number.POSITIVE_INFINITY
    else end = offset + length
    sum += length
  }
  if (end > size || sum !== storedBytes)
    throw new TarError('corrupt', 'a map of holes does not fit its entry')
}

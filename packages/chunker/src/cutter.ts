import type { Gear } from './gear.ts'

export interface CutterOptions {
  readonly gear: Gear
  /** Target mean in bytes, a power of two. Default 1 MiB. */
  readonly averageBytes?: number | undefined
  /** No chunk but the last is shorter. Default a quarter of the average. */
  readonly minBytes?: number | undefined
  /** No chunk is longer. Default four times the average. */
  readonly maxBytes?: number | undefined
}

/** Finds the end of one chunk after the other in memory that the caller fills. */
export interface Cutter {
  /**
   * @param from - where the chunk starts in `bytes`
   * @param to - how far `bytes` is filled
   * @param final - no more bytes will come
   * @returns the offset behind the chunk; -1 when more bytes are needed to decide. Then call again for the same chunk, with at least the
   *   bytes from before, wherever they are by then: what was scanned is not scanned again.
   */
  next(bytes: Uint8Array, from: number, to: number, final: boolean): number
}

/** How much harder a cut is made before the average, and easier behind it: normalised chunking, level 2. */
const NORMALISATION_BITS = 2

/**
 * Cuts bytes where only nearby content says so: FastCDC with normalised chunking over a keyed gear hash. The hash is 32 bits wide, so a
 * cut depends on the last 32 bytes; the bits that are tested are the highest, which depend on all of these.
 * @throws RangeError when the average is no power of two, or the bounds do not enclose it
 * @see Xia et al., FastCDC, USENIX ATC 2016
 */
export function createCutter(options: CutterOptions): Cutter {
  const { gear, averageBytes = 1024 * 1024 } = options
  const { minBytes = averageBytes / 4, maxBytes = averageBytes * 4 } = options
  const bits = Math.log2(averageBytes)
  if (!Number.isInteger(bits) || bits < 6 || bits > 28)
    throw new RangeError(`the average must be a power of two from 64 to 2^28, not ${averageBytes}`)
  if (minBytes < 1 || minBytes >= averageBytes || maxBytes <= averageBytes)
    throw new RangeError('the bounds must enclose the average')
  const hard = highBits(bits + NORMALISATION_BITS)
  const easy = highBits(bits - NORMALISATION_BITS)
  let scanned = 0
  let hash = 0
  return {
    next(bytes, from, to, final) {
      const end = Math.min(to, from + maxBytes)
      if (scanned === 0) scanned = minBytes
      let at = from + scanned
      if (at < end) {
        const middle = Math.min(end, from + averageBytes)
        if (at < middle) {
          const found = scan(bytes, at, middle, hash, hard, gear)
          if (found.at > 0) return finish(found.at)
          hash = found.hash
          at = middle
        }
        if (at < end) {
          const found = scan(bytes, at, end, hash, easy, gear)
          if (found.at > 0) return finish(found.at)
          hash = found.hash
          at = end
        }
        scanned = at - from
      }
      if (to - from >= maxBytes) return finish(from + maxBytes)
      if (final) return finish(to)
      return -1
    },
  }
  function finish(at: number): number {
    scanned = 0
    hash = 0
    return at
  }
}

function highBits(count: number): number {
  return -(2 ** (32 - count)) | 0
}

const result = { at: 0, hash: 0 }

/**
 * Rolls the hash over bytes[at..to) and stops behind the first byte at which the masked bits are zero.
 * Unrolled by eight, and the table a local: a plain loop is three to six times slower in some versions of V8.
 */
function scan(
  bytes: Uint8Array,
  at: number,
  to: number,
  start: number,
  mask: number,
  gear: Gear,
): { at: number; hash: number } {
  let h = start
  let i = at
  const whole = to - 8
  while (i <= whole) {
    h = ((h << 1) + (gear[bytes[i] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 1)
    h = ((h << 1) + (gear[bytes[i + 1] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 2)
    h = ((h << 1) + (gear[bytes[i + 2] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 3)
    h = ((h << 1) + (gear[bytes[i + 3] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 4)
    h = ((h << 1) + (gear[bytes[i + 4] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 5)
    h = ((h << 1) + (gear[bytes[i + 5] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 6)
    h = ((h << 1) + (gear[bytes[i + 6] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 7)
    h = ((h << 1) + (gear[bytes[i + 7] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 8)
    i += 8
  }
  for (; i < to; i++) {
    h = ((h << 1) + (gear[bytes[i] as number] as number)) | 0
    if ((h & mask) === 0) return found(i + 1)
  }
  result.at = 0
  result.hash = h
  return result
}

function found(at: number): { at: number; hash: number } {
  result.at = at
  result.hash = 0
  return result
}

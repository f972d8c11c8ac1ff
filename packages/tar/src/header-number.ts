import { TarError } from './tar-error.ts'

const SPACE = 0x20
const ZERO = 0x30
const SEVEN = 0x37

/**
 * The number in a field of a header: octal digits behind blanks, or, where the first bit is set, a binary number of two's complement, as GNU
 * programs write what octal can't hold. An empty field is 0.
 * @throws TarError `corrupt`
 */
export function headerNumber(header: Uint8Array, at: number, length: number, what: string): number {
  const first = header[at] ?? 0
  if (first >= 0x80) return binaryNumber(header, at, length, what)
  const end = at + length
  let i = at
  while (i < end && isBlank(header[i])) i++
  let value = 0
  for (; i < end; i++) {
    const byte = header[i] ?? 0
    if (byte < ZERO || byte > SEVEN) {
      if (isBlank(byte)) break
      throw new TarError('corrupt', `a header has no number as its ${what}`)
    }
    // Twelve digits at most: far below what a double holds exactly.
    value = value * 8 + (byte - ZERO)
  }
  return value
}

function binaryNumber(header: Uint8Array, at: number, length: number, what: string): number {
  const first = header[at] ?? 0
  // Bit 7 says that it is binary, bit 6 is the sign.
  let value = BigInt(first & 0x40 ? first - 0x100 : first & 0x3f)
  for (let i = at + 1; i < at + length; i++) value = value * 256n + BigInt(header[i] ?? 0)
  const number = Number(value)
  if (!Number.isSafeInteger(number))
    throw new TarError('corrupt', `a header has a number that can't be as its ${what}`)
  return number
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0
}

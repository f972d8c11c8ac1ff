/**
 * Whether a byte can be the version of an object: 1, 2, 4, 7, 8, …, with an odd number of its bits set (docs/format.md section 3). So one bit that is
 * flipped makes no other version of it, which nobody would dare to repair.
 */
export function canBeVersion(byte: number): boolean {
  let ones = 0
  for (let left = byte; left > 0; left >>= 1) ones += left & 1
  return ones % 2 === 1
}

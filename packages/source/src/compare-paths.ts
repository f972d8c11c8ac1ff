const SLASH = 0x2f

/**
 * Orders paths as a walk meets them: byte by byte, with `/` below every other byte, so that a directory is
 * followed by all that is in it before its next sibling (`a`, `a/b`, `a.b`).
 * @returns negative, zero or positive, as for `Array.prototype.sort`
 */
export function comparePaths(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const x = a[i] as number
    const y = b[i] as number
    if (x !== y) return (x === SLASH ? -1 : x) - (y === SLASH ? -1 : y)
  }
  return a.length - b.length
}

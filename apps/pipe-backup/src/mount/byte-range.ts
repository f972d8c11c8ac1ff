/** Which bytes of a file are sent: from `from` on, before `to`. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/**
 * What a Range header asks for (RFC 9110, section 14.2).
 * @returns undefined for all of it: no header, one of several ranges, one that is not understood; `unsatisfiable`
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || first + last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { from: size - length, to: size }
  }
  const from = Number(first)
  if (last !== '' && Number(last) < from) return undefined
  if (from >= size) return 'unsatisfiable'
  return { from, to: last === '' ? size : Math.min(Number(last) + 1, size) }
}

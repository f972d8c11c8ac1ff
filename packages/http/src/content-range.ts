/** Which bytes of an object an answer brings. */
export interface ContentRange {
  /** Of its first byte. */
  readonly from: number
  /** One past its last. */
  readonly end: number
  /** How long the object is, where the server says so: it may not know. */
  readonly sizeBytes: number | undefined
}

/**
 * What a `Content-Range` says (RFC 9110, section 14.4).
 * @returns undefined where it names no bytes that could be
 */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(header ?? '') ?? []
  if (first === undefined || last === undefined) return undefined
  const from = Number(first)
  const end = Number(last) + 1
  const sizeBytes = size === '*' ? undefined : Number(size)
  return from < end && end <= (sizeBytes ?? end) ? { from, end, sizeBytes } : undefined
}

/**
 * How long an object is of which a range was answered, or how long at least, where that is enough.
 * @param end - one past the last byte that was asked for; undefined for all that follows
 * @param ask - asked where the answer does not say it, and has not all that was asked for
 */
export async function sizeBehind<T>(
  range: ContentRange,
  end: number | undefined,
  ask: () => Promise<T>,
): Promise<number | T> {
  const { sizeBytes } = range
  if (sizeBytes !== undefined) return sizeBytes
  return end !== undefined && range.end >= end ? range.end : await ask()
}

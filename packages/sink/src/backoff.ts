/** When to try again. */
export interface BackoffOptions {
  /** The longest first wait, in milliseconds; it doubles each time. Default 500. */
  readonly firstMs?: number | undefined
  /** No wait is longer, unless the server asks for it. Default 30 s. */
  readonly maxMs?: number | undefined
  /** From 0 to 1; given by tests. */
  readonly random?: (() => number) | undefined
}

/**
 * How long to wait before the next try: exponential, with full jitter, so that many clients that failed together don't come
 * back together.
 * @param failures - how many tries have failed so far, from 1
 * @param askedMs - what the server asked for (Retry-After); the wait is never shorter
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, askedMs = 0, options: BackoffOptions = {}): number {
  const { firstMs = 500, maxMs = 30_000, random = Math.random } = options
  return Math.max(askedMs, random() * Math.min(maxMs, firstMs * 2 ** (failures - 1)))
}

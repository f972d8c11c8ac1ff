/**
 * Does something that is to be over in time. Not by `AbortSignal.timeout`, whose timer stays until it goes off: small objects are many.
 * @param work - its signal fires when the time is over, or when the other one does
 * @param toLate - what is thrown where it was not over, from what it has thrown then
 * @throws the signal's reason; what `work` throws
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  toLate: (cause: unknown) => Error,
): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), ms).unref()
  try {
    return await work(signal ? AbortSignal.any([signal, late.signal]) : late.signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw late.signal.aborted ? toLate(error) : error
  } finally {
    clearTimeout(timer)
  }
}

/** Does `work` for each item, so many at a time; the first failure ends it, when what is under way has ended. */
export async function forEachLimited<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = toIterator(items)
  let failure: { readonly error: unknown } | undefined
  const next = async (): Promise<void> => {
    while (!failure) {
      try {
        const step = await iterator.next()
        if (step.done) return
        await work(step.value)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, next))
  if (failure) throw failure.error
}

export function toIterator<T>(items: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
}

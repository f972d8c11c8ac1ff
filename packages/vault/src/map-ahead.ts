import { toIterator } from './for-each-limited.ts'

export interface Ahead<T> {
  /** So many items are under way, or done and not taken yet. */
  readonly atOnce: number
  /** What counts for an item beside that, and how much may be under way together: one item is, however large. */
  readonly sizes?: { readonly of: (item: T) => number; readonly most: number } | undefined
}

/** What `map` gives for each item, in order: it is asked for while what comes before it is waited for, or used. */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  map: (item: T) => Promise<R>,
  { atOnce, sizes }: Ahead<T>,
): AsyncGenerator<R> {
  const iterator = toIterator(items)
  const ahead: { readonly size: number; readonly result: Promise<R> }[] = []
  let total = 0
  let isEnd = false
  const hasRoom = () => ahead.length === 0 || (ahead.length < atOnce && (!sizes || total < sizes.most))
  try {
    for (;;) {
      while (!isEnd && hasRoom()) {
        const step = await iterator.next()
        if (step.done) {
          isEnd = true
          break
        }
        const result = map(step.value)
        // Whoever comes to it is given the error; nobody may.
        result.catch(() => undefined)
        const size = sizes?.of(step.value) ?? 0
        ahead.push({ size, result })
        total += size
      }
      const first = ahead.shift()
      if (!first) return
      const value = await first.result
      total -= first.size
      yield value
    }
  } finally {
    await iterator.return?.()
  }
}

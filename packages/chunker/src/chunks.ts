import { type CutterOptions, createCutter } from './cutter.ts'

/**
 * Splits bytes into chunks whose cuts depend only on nearby content, whatever the pieces they come in.
 * @yields chunks in order, never empty, each in memory of its own; together they are the input
 * @throws RangeError as createCutter does
 */
export async function* chunks(
  source: AsyncIterable<Uint8Array>,
  options: CutterOptions,
): AsyncGenerator<Uint8Array> {
  const cutter = createCutter(options)
  const maxBytes = options.maxBytes ?? (options.averageBytes ?? 1024 * 1024) * 4
  const memory = new Uint8Array(maxBytes * 2)
  let start = 0
  let filled = 0
  function* cut(final: boolean): Generator<Uint8Array> {
    while (start < filled) {
      const end = cutter.next(memory, start, filled, final)
      if (end < 0) return
      yield memory.slice(start, end)
      start = end
    }
  }
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      if (filled === memory.length) {
        memory.copyWithin(0, start, filled)
        filled -= start
        start = 0
      }
      const some = piece.subarray(at, at + memory.length - filled)
      memory.set(some, filled)
      filled += some.length
      at += some.length
      yield* cut(false)
    }
  }
  yield* cut(true)
}

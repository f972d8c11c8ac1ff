import { Readable } from 'node:stream'
import type { Sink } from './sink.ts'

/** What a sink was asked to do. */
export interface SinkRequest {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'delete' | 'deleteMany' | 'createReadStream'
  /** The key, or the prefix. */
  readonly key: string
  /** How many requests of this operation there have been, from 1. */
  readonly count: number
}

/** What is to go wrong; an empty object is nothing. */
export interface Fault {
  /** Fails with this instead of doing it. */
  readonly before?: Error | undefined
  /** Does it, and then fails with this: the answer was lost. */
  readonly after?: Error | undefined
  /** Reads and listings alone: so many bytes, or objects, arrive; then it fails with `after`. */
  readonly afterBytes?: number | undefined
}

/** A sink for tests of what is built on sinks: things go wrong as planned. Write streams are left alone. */
export function faultySink(sink: Sink, plan: (request: SinkRequest) => Fault): Sink {
  const counts = new Map<string, number>()
  const faultOf = (operation: SinkRequest['operation'], key: string): Fault => {
    const count = (counts.get(operation) ?? 0) + 1
    counts.set(operation, count)
    return plan({ operation, key, count })
  }
  const faulted = async <T>(
    operation: SinkRequest['operation'],
    key: string,
    act: () => Promise<T>,
  ): Promise<T> => {
    const { before, after } = faultOf(operation, key)
    if (before) throw before
    const result = await act()
    if (after) throw after
    return result
  }
  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, options) => faulted('put', key, () => sink.put(key, bytes, options)),
    get: (key, options) => faulted('get', key, () => sink.get(key, options)),
    head: (key, options) => faulted('head', key, () => sink.head(key, options)),
    delete: (key, options) => faulted('delete', key, () => sink.delete(key, options)),
    deleteMany: (keys, options) =>
      faulted('deleteMany', keys.join(' '), () => sink.deleteMany(keys, options)),
    createWriteStream: (key, options) => sink.createWriteStream(key, options),
    createReadStream: async (key, options) => {
      const { before, after, afterBytes } = faultOf('createReadStream', key)
      if (before) throw before
      const stream = await sink.createReadStream(key, options)
      return after ? Readable.from(cut(stream, afterBytes ?? 0, after), { objectMode: false }) : stream
    },
    async *list(prefix, options) {
      const { before, after, afterBytes = 0 } = faultOf('list', prefix)
      if (before) throw before
      let shown = 0
      for await (const info of sink.list(prefix, options)) {
        if (after && shown++ === afterBytes) throw after
        yield info
      }
      if (after) throw after
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

async function* cut(stream: Readable, bytes: number, error: Error): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    if (piece.length >= left) {
      if (left > 0) yield piece.subarray(0, left)
      throw error
    }
    left -= piece.length
    yield piece
  }
  throw error
}

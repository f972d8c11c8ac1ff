import { Readable, Writable } from 'node:stream'
import { pieces } from './pieces.ts'
import { RecentChanges } from './recent-changes.ts'
import type { PutOptions, Sink, SinkOptions } from './sink.ts'
import { unlessAborted } from './unless-aborted.ts'

/** What a sink was asked to do. */
export interface SinkRequest {
  readonly operation:
    | 'put'
    | 'get'
    | 'head'
    | 'list'
    | 'delete'
    | 'deleteMany'
    | 'createReadStream'
    | 'createWriteStream'
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
  /** Does nothing and never answers: only the caller's signal ends it. */
  readonly hang?: boolean | undefined
  /** Writes alone: half of the bytes go out, nothing is to be seen of them, and it fails with this. */
  readonly torn?: Error | undefined
  /** Writes and deletes alone: says that it is done, and is not. Of a write there is nothing, or the first half. */
  readonly lost?: 'all' | 'half' | undefined
  /** Reads alone: the second half is missing, and nobody says so. */
  readonly short?: boolean | undefined
  /** Listings alone: shows what there was before the last changes. */
  readonly stale?: boolean | undefined
}

export interface FaultySinkOptions {
  /** How many changes a stale listing does not know of. Default 0: nothing is remembered for it. */
  readonly staleChanges?: number | undefined
  /** Keys of objects that were put a moment before, the last one last: a stale listing may not know of them either. */
  readonly justPut?: readonly string[] | undefined
}

/** A sink for tests of what is built on sinks: things go wrong as planned. It may break the promises of a sink: that is what it is for. */
export function faultySink(
  sink: Sink,
  plan: (request: SinkRequest) => Fault,
  { staleChanges = 0, justPut = [] }: FaultySinkOptions = {},
): Sink {
  const counts = new Map<string, number>()
  const changes = new RecentChanges(sink, staleChanges, justPut)
  const faultOf = (operation: SinkRequest['operation'], key: string): Fault => {
    const count = (counts.get(operation) ?? 0) + 1
    counts.set(operation, count)
    return plan({ operation, key, count })
  }
  const acted = async <T>(
    { before, after, hang }: Fault,
    signal: AbortSignal | undefined,
    act: () => Promise<T>,
  ): Promise<T> => {
    if (hang) await unlessAborted(new Promise<never>(() => undefined), signal)
    if (before) throw before
    const result = await act()
    if (after) throw after
    return result
  }
  const store = (fault: Fault, key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> =>
    acted(fault, options.signal, async () => {
      const half = bytes.subarray(0, bytes.length >> 1)
      if (fault.torn) {
        await send(half, options)
        throw fault.torn
      }
      if (fault.lost === 'all') return await send(bytes, options)
      await changes.record(key)
      // Its checksum would be that of what was sent.
      if (fault.lost === 'half') await sink.put(key, half, { ...options, sha256: undefined })
      else await sink.put(key, bytes, options)
    })
  const remove = <T>(fault: Fault, keys: readonly string[], options: SinkOptions, act: () => Promise<T>) =>
    acted(fault, options.signal, async () => {
      for (const key of keys) await changes.record(key)
      return await act()
    })

  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, options) => store(faultOf('put', key), key, bytes, options),
    get: (key, options = {}) => {
      const fault = faultOf('get', key)
      return acted(fault, options.signal, async () => {
        const bytes = await sink.get(key, options)
        return fault.short ? bytes.subarray(0, bytes.length >> 1) : bytes
      })
    },
    head: (key, options) => acted(faultOf('head', key), options?.signal, () => sink.head(key, options)),
    delete: (key, options = {}) => {
      const fault = faultOf('delete', key)
      return remove(fault, [key], options, async () => {
        if (!fault.lost) await sink.delete(key, options)
      })
    },
    deleteMany: (keys, options = {}) => {
      const fault = faultOf('deleteMany', keys.join(' '))
      return remove(fault, keys, options, async () =>
        fault.lost ? new Map() : await sink.deleteMany(keys, options),
      )
    },
    createWriteStream: (key, options = {}) => {
      const fault = faultOf('createWriteStream', key)
      if (Object.keys(fault).length === 0) return sink.createWriteStream(key, options)
      const parts: Uint8Array[] = []
      return new Writable({
        ...(options.signal && { signal: options.signal }),
        write(bytes: Uint8Array, _encoding, done) {
          parts.push(Uint8Array.from(bytes))
          done()
        },
        final(done) {
          store(fault, key, Buffer.concat(parts), options).then(() => done(), done)
        },
      })
    },
    createReadStream: async (key, options = {}) => {
      const { after, afterBytes = 0, short, ...fault } = faultOf('createReadStream', key)
      const stream = await acted(fault, options.signal, () => sink.createReadStream(key, options))
      if (!after && !short) return stream
      const cut = short ? halfOf(stream) : cutOff(stream, afterBytes, after ?? new Error('cut off'))
      return Readable.from(cut, { objectMode: false })
    },
    async *list(prefix, options = {}) {
      const { after, afterBytes = 0, stale, ...fault } = faultOf('list', prefix)
      await acted(fault, options.signal, () => Promise.resolve())
      let shown = 0
      const listed = sink.list(prefix, options)
      for await (const info of stale ? changes.before(prefix, listed) : listed) {
        if (after && shown++ === afterBytes) throw after
        yield info
      }
      if (after) throw after
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** The bytes go out, as far as the caller sees. */
async function send(bytes: Uint8Array, options: SinkOptions): Promise<void> {
  for await (const _ of pieces(bytes, options)) continue
}

async function* halfOf(stream: Readable): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.concat((await stream.toArray()) as Uint8Array[])
  yield bytes.subarray(0, bytes.length >> 1)
}

async function* cutOff(stream: Readable, bytes: number, error: Error): AsyncGenerator<Uint8Array> {
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

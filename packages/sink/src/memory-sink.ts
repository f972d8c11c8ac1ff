import { Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { checkKey, isKey } from './check-key.ts'
import { checkMaxBytes } from './check-max-bytes.ts'
import { deleteEach } from './delete-each.ts'
import { pieces } from './pieces.ts'
import type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions } from './sink.ts'
import { SinkError } from './sink-error.ts'

/** A sink whose objects are in memory, and can be looked at and corrupted. */
export interface MemorySink extends Sink {
  readonly objects: Map<string, { readonly bytes: Uint8Array; readonly storedAt: Date }>
}

/**
 * A sink for tests: keeps every promise, and forgets everything.
 * @param now - its clock
 */
export function memorySink(name = 'memory', now: () => Date = () => new Date()): MemorySink {
  const objects: MemorySink['objects'] = new Map()

  const commit = (key: string, bytes: Uint8Array, { ifAbsent = false }: PutOptions): void => {
    if (ifAbsent && objects.has(key)) throw new SinkError('exists', 'exists already', { sink: name, key })
    objects.set(key, { bytes, storedAt: now() })
  }
  const find = (key: string, { offset = 0, length, maxBytes }: ReadOptions): Uint8Array => {
    const object = objects.get(key)
    if (!object) throw new SinkError('not-found', 'is not there', { sink: name, key })
    const { bytes } = object
    const end = length === undefined ? bytes.length : offset + length
    if (offset < 0 || end < offset || end > bytes.length) {
      const what = `has ${bytes.length} bytes, wanted ${end - offset} from ${offset}`
      throw new SinkError('range', what, { sink: name, key })
    }
    checkMaxBytes(end - offset, maxBytes, { sink: name, key })
    return bytes.subarray(offset, end)
  }
  /** Every request: the key is checked, and the signal heard before and after a turn of the event loop. */
  const act = async <T>(key: string, { signal }: SinkOptions, request: () => T | Promise<T>): Promise<T> => {
    checkKey(key, name)
    signal?.throwIfAborted()
    await new Promise(setImmediate)
    signal?.throwIfAborted()
    return request()
  }

  const sink: MemorySink = {
    name,
    objects,
    appendOnly: false,
    put: (key, bytes, options = {}) =>
      act(key, options, async () => {
        commit(key, await buffer(pieces(bytes, options)), options)
      }),
    createWriteStream(key, options = {}) {
      checkKey(key, name)
      const parts: Uint8Array[] = []
      return new Writable({
        signal: options.signal,
        write(chunk: Uint8Array, _encoding, done) {
          parts.push(Uint8Array.from(chunk))
          Promise.resolve(options.onBytes?.(chunk.length)).then(() => done(), done)
        },
        final(done) {
          try {
            commit(key, Buffer.concat(parts), options)
            done()
          } catch (error) {
            done(error as Error)
          }
        },
      })
    },
    createReadStream: (key, options = {}) =>
      act(key, options, () => Readable.from(pieces(find(key, options), options), { objectMode: false })),
    get: (key, options = {}) => act(key, options, () => buffer(pieces(find(key, options), options))),
    head: (key, options = {}) =>
      act(key, options, () => {
        const object = objects.get(key)
        return object && { key, sizeBytes: object.bytes.length, storedAt: object.storedAt }
      }),
    async *list(prefix, { signal } = {}): AsyncGenerator<ObjectInfo> {
      const whole = prefix === '' || (prefix.endsWith('/') && isKey(prefix.slice(0, -1)))
      if (!whole)
        throw new SinkError('refused-key', `${JSON.stringify(prefix)} can't be a prefix`, { sink: name })
      for (const [key, { bytes, storedAt }] of objects) {
        signal?.throwIfAborted()
        if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.length, storedAt }
      }
    },
    delete: (key, options = {}) => act(key, options, () => void objects.delete(key)),
    deleteMany: (keys, options) => deleteEach(sink, keys, options),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  return sink
}

import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Sink, SinkError } from '@pipe-backup/sink'
import type { Lifeline } from './lifeline.ts'

/** A sink as a process sees it that is killed at one of its writes: each object stored or deleted is one. */
export function mortalSink(sink: Sink, life: Lifeline): Sink {
  const { name } = sink
  const remove = (key: string, options?: Parameters<Sink['delete']>[1]) =>
    life.write(`${name}: delete ${key}`, () => sink.delete(key, options))
  return {
    name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, options) => life.write(`${name}: put ${key}`, () => sink.put(key, bytes, options)),
    createWriteStream(key, options) {
      const inner = sink.createWriteStream(key, options)
      return new Writable({
        write: (bytes: Uint8Array, _encoding, done) => void inner.write(bytes, done),
        final(done) {
          const end = async (): Promise<void> => {
            inner.end()
            await finished(inner)
          }
          life.write(`${name}: finish ${key}`, end).then(() => done(), done)
        },
        destroy(error, done) {
          if (!life.isDead) inner.destroy()
          done(error)
        },
      })
    },
    createReadStream: (key, options) => life.read(() => sink.createReadStream(key, options)),
    get: (key, options) => life.read(() => sink.get(key, options)),
    head: (key, options) => life.read(() => sink.head(key, options)),
    async *list(prefix, options) {
      for await (const info of sink.list(prefix, options)) yield await life.read(() => Promise.resolve(info))
      await life.read(() => Promise.resolve())
    },
    delete: remove,
    async deleteMany(keys, options) {
      for (const key of keys) await remove(key, options)
      return new Map<string, SinkError>()
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

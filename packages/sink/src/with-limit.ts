import PQueue from 'p-queue'
import { pause } from './pause.ts'
import type { PutOptions, Sink, SinkOptions } from './sink.ts'

export interface LimitOptions {
  /** How fast all uploads together may go, in bytes a second. Default: as fast as they can. */
  readonly uploadBytesPerSecond?: number | undefined
  /** How many objects are put at a time. Default: as many as are asked for. */
  readonly concurrency?: number | undefined
  /** Given by tests, in milliseconds. */
  readonly now?: (() => number) | undefined
  readonly sleep?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
}

/** A sink that is not given more at a time, or a second, than so much. */
export function withLimit(sink: Sink, options: LimitOptions): Sink {
  const { uploadBytesPerSecond, concurrency, now = () => performance.now(), sleep = pause } = options
  const pace = uploadBytesPerSecond === undefined ? undefined : new Pace(uploadBytesPerSecond, now, sleep)
  const queue = new PQueue({ concurrency: concurrency ?? Number.POSITIVE_INFINITY })
  const paced = <T extends SinkOptions>(given: T): T => {
    if (!pace) return given
    const onBytes = async (sizeBytes: number): Promise<void> => {
      await pace.take(sizeBytes, given.signal)
      await given.onBytes?.(sizeBytes)
    }
    return { ...given, onBytes }
  }
  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, given: PutOptions = {}) =>
      queue.add(() => sink.put(key, bytes, paced(given)), { signal: given.signal }),
    createWriteStream: (key, given = {}) => sink.createWriteStream(key, paced(given)),
    createReadStream: (key, given) => sink.createReadStream(key, given),
    get: (key, given) => sink.get(key, given),
    head: (key, given) => sink.head(key, given),
    list: (prefix, given) => sink.list(prefix, given),
    delete: (key, given) => sink.delete(key, given),
    deleteMany: (keys, given) => sink.deleteMany(keys, given),
    freeBytes: async (given) => await sink.freeBytes?.(given),
    renewLock: async (key, storedAt, given) => (await sink.renewLock?.(key, storedAt, given)) ?? false,
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** Hands out bytes at a rate: each taker waits until those before it have been paid for. */
class Pace {
  readonly #bytesPerMs: number
  readonly #now: () => number
  readonly #sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  #paidUntil = Number.NEGATIVE_INFINITY

  constructor(
    bytesPerSecond: number,
    now: () => number,
    sleep: (ms: number, signal?: AbortSignal) => Promise<void>,
  ) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#now = now
    this.#sleep = sleep
  }

  async take(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    const now = this.#now()
    const from = Math.max(now, this.#paidUntil)
    this.#paidUntil = from + sizeBytes / this.#bytesPerMs
    if (from > now) await this.#sleep(from - now, signal)
  }
}

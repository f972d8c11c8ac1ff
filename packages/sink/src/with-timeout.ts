import { Readable, Writable } from 'node:stream'
import { follow } from './follow.ts'
import type { ObjectInfo, PutOptions, Sink, SinkOptions } from './sink.ts'
import { SinkError } from './sink-error.ts'

export interface TimeoutOptions {
  /**
   * How long no byte may move, in milliseconds. The bytes of a `put` that were handed over may still be in some buffer: for up to 8 MiB of
   * them as much time is added as they have needed so far.
   */
  readonly silentMs: number
}

/** What sockets and proxies may still hold of a request when all of it has been handed over. */
const BUFFERED_BYTES = 8 * 1024 * 1024

/**
 * A sink whose requests fail with `timeout` when no byte has moved for a while, however long the whole transfer takes.
 * Time in which the caller itself holds things up (back-pressure, `onBytes`) does not count.
 */
export function withTimeout(sink: Sink, { silentMs }: TimeoutOptions): Sink {
  const watched = <T>(
    options: SinkOptions | undefined,
    key: string | undefined,
    request: (options: SinkOptions) => Promise<T>,
    bufferedBytes?: number,
  ): Promise<T> => new IdleTimeout(sink.name, key, silentMs).watch(options, request, bufferedBytes)
  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, options) =>
      watched(options, key, (watching) => sink.put(key, bytes, { ...options, ...watching }), BUFFERED_BYTES),
    get: (key, options) => watched(options, key, (watching) => sink.get(key, { ...options, ...watching })),
    head: (key, options) => watched(options, key, (watching) => sink.head(key, watching)),
    delete: (key, options) => watched(options, key, (watching) => sink.delete(key, watching)),
    deleteMany: (keys, options) => watched(options, undefined, (watching) => sink.deleteMany(keys, watching)),
    createReadStream: async (key, options = {}) => {
      const idle = new IdleTimeout(sink.name, key, silentMs)
      const { given, endedBy } = giveUp(options)
      const opening = sink.createReadStream(key, given)
      try {
        const stream = await idle.watch({}, () => opening)
        return follow({ stream }, idle.eachOf(stream as AsyncIterable<Uint8Array>, endedBy))
      } catch (error) {
        endedBy(error)
        // One that opens after all is nobody's.
        opening.then((stream) => stream.on('error', ignore).destroy(), ignore)
        throw error
      }
    },
    createWriteStream: (key, options) => WatchedWritable.to(sink, key, options, silentMs),
    list: (prefix, options = {}) => {
      const { given, endedBy } = giveUp(options)
      return new IdleTimeout(sink.name, undefined, silentMs).eachOf<ObjectInfo>(
        sink.list(prefix, given),
        endedBy,
      )
    },
    freeBytes: (options) => watched(options, undefined, async (watching) => await sink.freeBytes?.(watching)),
    renewLock: (key, storedAt, options) =>
      watched(options, key, async (watching) => (await sink.renewLock?.(key, storedAt, watching)) ?? false),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** Options whose signal fires also when the request is given up here: what hangs must let go of its connection. */
function giveUp<T extends SinkOptions>(options: T): { given: T; endedBy: (reason: unknown) => void } {
  const given = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, given.signal]) : given.signal
  return { given: { ...options, signal }, endedBy: (reason) => given.abort(reason) }
}

function ignore(): void {}

/** Fires when nothing was heard for so long. */
class IdleTimeout {
  readonly #sink: string
  readonly #key: string | undefined
  readonly #ms: number

  constructor(sink: string, key: string | undefined, ms: number) {
    this.#sink = sink
    this.#key = key
    this.#ms = ms
  }

  error(): SinkError {
    return new SinkError('timeout', `nothing has moved for ${this.#ms / 1000} s`, {
      sink: this.#sink,
      key: this.#key,
    })
  }

  /**
   * Runs a request; `onBytes` and its end are what is heard.
   * @param bufferedBytes - so many of the bytes that were handed over may not have gone yet
   */
  async watch<T>(
    given: SinkOptions = {},
    request: (options: SinkOptions) => Promise<T>,
    bufferedBytes = 0,
  ): Promise<T> {
    const silent = new AbortController()
    const fire = () => silent.abort(this.error())
    let timer = setTimeout(fire, this.#ms)
    let held = 0
    let over = false
    let moved = 0
    let heldMs = 0
    const startedAt = performance.now()
    const bufferedMs = (): number =>
      moved === 0 ? 0 : (Math.min(moved, bufferedBytes) / moved) * (performance.now() - startedAt - heldMs)
    const onBytes = async (sizeBytes: number): Promise<void> => {
      clearTimeout(timer)
      held++
      moved += sizeBytes
      const heldAt = performance.now()
      try {
        await given.onBytes?.(sizeBytes)
      } finally {
        heldMs += performance.now() - heldAt
        // A piece may be held longer than the request takes.
        if (--held === 0 && !over) timer = setTimeout(fire, this.#ms + bufferedMs())
      }
    }
    const signal = given.signal ? AbortSignal.any([given.signal, silent.signal]) : silent.signal
    // Raced, for a request that hangs may be deaf to its signal too.
    const fired = Promise.withResolvers<never>()
    const onAbort = () => fired.reject(silent.signal.reason)
    silent.signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([request({ signal, onBytes }), fired.promise])
    } finally {
      over = true
      clearTimeout(timer)
      silent.signal.removeEventListener('abort', onAbort)
    }
  }

  /** Hands items on; only the time in which one is waited for counts. @param endedBy - called when no more are wanted, with the reason */
  async *eachOf<T>(items: AsyncIterable<T>, endedBy: (reason: unknown) => void): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = iterator.next()
        // When the silence wins, what comes of the item is nobody's business.
        next.catch(() => undefined)
        const step = await this.watch({}, () => next)
        if (step.done) return
        yield step.value
      }
    } catch (error) {
      endedBy(error)
      throw error
    } finally {
      // Not waited for: an iterator that hangs hangs here too.
      Promise.resolve(iterator.return?.()).catch(() => undefined)
      if (items instanceof Readable) items.destroy()
    }
  }
}

class WatchedWritable extends Writable {
  readonly #inner: Writable
  readonly #idle: IdleTimeout
  readonly #ms: number
  #timer: NodeJS.Timeout | undefined
  /** A write, or the end, waits for the inner stream. */
  #isWaiting = false
  #held = 0

  /** A stream into a sink: what it reports by `onBytes` is heard, also between two writes and at the end. */
  static to(sink: Sink, key: string, options: PutOptions | undefined, ms: number): WatchedWritable {
    let watched: WatchedWritable | undefined
    const onBytes = async (sizeBytes: number): Promise<void> => {
      const given = async (): Promise<void> => await options?.onBytes?.(sizeBytes)
      await (watched ? watched.#hold(given) : given())
    }
    watched = new WatchedWritable(sink.createWriteStream(key, { ...options, onBytes }), sink.name, key, ms)
    return watched
  }

  private constructor(inner: Writable, sink: string, key: string, ms: number) {
    super({ highWaterMark: inner.writableHighWaterMark })
    this.#inner = inner
    this.#idle = new IdleTimeout(sink, key, ms)
    this.#ms = ms
    inner.on('error', (error) => this.destroy(error))
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#watched(done, (heard) => this.#inner.write(chunk, heard))
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#watched(done, (heard) => {
      this.#inner.once('finish', () => heard())
      this.#inner.end()
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const inner = this.#inner
    clearTimeout(this.#timer)
    if (inner.closed) return done(error)
    const timer = setTimeout(() => done(error), this.#ms)
    inner.once('close', () => {
      clearTimeout(timer)
      done(error)
    })
    inner.destroy(error ?? undefined)
  }

  #watch(): void {
    clearTimeout(this.#timer)
    if (this.#isWaiting && this.#held === 0 && !this.destroyed)
      this.#timer = setTimeout(() => this.destroy(this.#idle.error()), this.#ms)
  }

  /** Bytes have moved; the time for which the caller holds them does not count. */
  async #hold(work: () => Promise<void>): Promise<void> {
    this.#held++
    clearTimeout(this.#timer)
    try {
      await work()
    } finally {
      this.#held--
      this.#watch()
    }
  }

  #watched(done: (error?: Error | null) => void, act: (heard: (error?: Error | null) => void) => void): void {
    this.#isWaiting = true
    this.#watch()
    act((error) => {
      this.#isWaiting = false
      clearTimeout(this.#timer)
      // A failed write fails the stream by its 'error' event.
      if (!error) done()
    })
  }
}

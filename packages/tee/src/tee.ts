import { Writable } from 'node:stream'
import { type FanOut, type FanOutResult, fanOut, TooFewWritersError } from './fan-out.ts'

export interface TeeOptions {
  /** What the writers are called in messages. Default `writer 1`, `writer 2`. */
  readonly names?: readonly string[] | undefined
  /** Memory for bytes on their way, in bytes. Default 64 MiB. */
  readonly windowBytes?: number | undefined
  /** How long a full window is waited for before a stream is dropped that is slower than `minWriters` others. Default 30 s. */
  readonly detachAfterMs?: number | undefined
  /** How many streams must finish for the tee to have finished. Default 1. */
  readonly minWriters?: number | undefined
  /** Called with what became of each stream, when the tee ends. */
  readonly onResult?: ((results: readonly FanOutResult[]) => void) | undefined
}

const WINDOW_BYTES = 64 * 1024 * 1024

/**
 * A stream that writes all it gets to each of several streams. One that fails is destroyed and the others go on; the tee fails when
 * fewer than `minWriters` finish. Destroying it destroys them all, so that none leaves a half-written object.
 */
export function tee(writers: readonly Writable[], options: TeeOptions = {}): Writable {
  return new Tee(writers, options)
}

class Tee extends Writable {
  readonly #writers: readonly Writable[]
  readonly #options: TeeOptions
  readonly #fan: FanOut<Uint8Array>
  readonly #errors = new Map<Writable, Error>()

  constructor(writers: readonly Writable[], options: TeeOptions) {
    super({ highWaterMark: 1024 * 1024 })
    this.#writers = writers
    this.#options = options
    for (const writer of writers) writer.on('error', (error) => this.#errors.set(writer, error))
    const { names, detachAfterMs, minWriters = 1, windowBytes = WINDOW_BYTES } = options
    this.#fan = fanOut(
      writers.map((writer, i) => ({
        name: names?.[i] ?? `writer ${i + 1}`,
        write: (bytes: Uint8Array, signal: AbortSignal) => this.#writeTo(writer, bytes, signal),
      })),
      {
        windowBytes,
        sizeOf: (bytes) => bytes.length,
        minWriters,
        detachAfterMs,
      },
    )
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#fan.push(bytes).then(() => done(), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const writer of this.#writers) if (!writer.writableFinished) writer.destroy()
    done(error)
  }

  async #writeTo(writer: Writable, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const broken = this.#errors.get(writer)
    if (broken) throw broken
    await new Promise<void>((resolve, reject) => {
      const abort = () => writer.destroy()
      signal.addEventListener('abort', abort, { once: true })
      const onClose = () => settle(this.#errors.get(writer) ?? new Error('the stream was closed'))
      const settle = (error?: Error | null) => {
        signal.removeEventListener('abort', abort)
        writer.off('close', onClose)
        if (error) reject(error)
        else resolve()
      }
      writer.once('close', onClose)
      writer.write(bytes, settle)
    })
  }

  async #end(): Promise<void> {
    const { minWriters = 1, onResult } = this.#options
    const results = await this.#fan.end()
    const ended = await Promise.all(
      results.map(async (result, i): Promise<FanOutResult> => {
        const writer = this.#writers[i]
        if (!writer || result.state !== 'ok') {
          writer?.destroy()
          return result
        }
        try {
          await finished(writer, () => this.#errors.get(writer))
          return result
        } catch (error) {
          return {
            ...result,
            state: 'failed',
            error: error instanceof Error ? error : new Error(String(error)),
          }
        }
      }),
    )
    onResult?.(ended)
    const good = ended.filter(({ state }) => state === 'ok').length
    if (good >= minWriters) return
    const failures = ended.flatMap(({ name, error }) => (error ? [`${name}: ${error.message}`] : []))
    throw new TooFewWritersError(
      `${good} of ${ended.length} streams finished, ${minWriters} must: ${failures.join('; ')}`,
    )
  }
}

/** Ends a stream. What `end` calls back is also called when its end has failed. @param failure - what it has failed with so far */
function finished(writer: Writable, failure: () => Error | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => failure() ?? new Error('the stream was closed before it finished')
    if (writer.writableFinished) return resolve()
    if (writer.closed || writer.errored) return reject(closed())
    writer.once('error', reject)
    writer.once('close', () => (writer.writableFinished ? resolve() : reject(closed())))
    writer.once('finish', resolve)
    writer.end()
  })
}

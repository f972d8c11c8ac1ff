import { Writable } from 'node:stream'
import { type PutOptions, pieces } from '@pipe-backup/sink'
import type { SpooledObject } from './spooled-object.ts'

export interface SpooledWritableOptions extends PutOptions {
  create(): Promise<SpooledObject>
  /** Sends it. */
  store(object: SpooledObject, options: PutOptions): Promise<void>
  translate(error: unknown): unknown
}

/** Gathers an object of unknown length in the spool, where only waiting for room holds it up; sends it in `final`. */
export class SpooledWritable extends Writable {
  readonly #options: SpooledWritableOptions
  readonly #destroyed = new AbortController()
  readonly #signal: AbortSignal
  #object: SpooledObject | undefined
  #working: Promise<unknown> = Promise.resolve()

  constructor(options: SpooledWritableOptions) {
    const { signal } = options
    super({ highWaterMark: 1024 * 1024, signal })
    this.#options = options
    this.#signal = signal ? AbortSignal.any([signal, this.#destroyed.signal]) : this.#destroyed.signal
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      this.#object = await this.#options.create()
    }, done)
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(async () => {
      const { onBytes } = this.#options
      for await (const piece of pieces(bytes, { signal: this.#signal })) {
        await this.#object?.reserve(piece.length, this.#signal)
        await this.#object?.write(piece, { signal: this.#signal, onBytes })
      }
    }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      if (this.#object) await this.#options.store(this.#object, { ...this.#options, signal: this.#signal })
    }, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#destroyed.abort(error ?? new Error('the stream was destroyed'))
    const discard = async (): Promise<void> => {
      await this.#working
      await this.#object?.discard()
    }
    discard().then(
      () => done(error),
      (cause: unknown) => done(error ?? toError(cause)),
    )
  }

  #run(work: () => Promise<unknown>, done: (error?: Error | null) => void): void {
    const working = work()
    this.#working = working.catch(() => undefined)
    working.then(
      () => done(),
      (cause: unknown) => done(toError(this.#options.translate(cause))),
    )
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

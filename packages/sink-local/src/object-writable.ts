import { Writable } from 'node:stream'
import type { PutOptions } from '@pipe-backup/sink'
import type { ObjectFile } from './write-object.ts'

export interface ObjectWritableOptions extends PutOptions {
  create(): Promise<ObjectFile>
  translate(error: unknown): unknown
}

/** Commits in `final`, undoes in `destroy`: a destroyed stream leaves nothing visible. */
export class ObjectWritable extends Writable {
  readonly #options: ObjectWritableOptions
  #file: ObjectFile | undefined
  #working: Promise<unknown> = Promise.resolve()
  #committed = false

  constructor(options: ObjectWritableOptions) {
    super({ highWaterMark: 1024 * 1024, ...(options.signal && { signal: options.signal }) })
    this.#options = options
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      this.#file = await this.#options.create()
    }, done)
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(async () => this.#file?.write(bytes, this.#options), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      await this.#file?.commit(this.#options.ifAbsent ?? false, this.#options.signal)
      this.#committed = true
    }, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const discard = async () => {
      await this.#working
      if (!this.#committed) await this.#file?.discard()
    }
    discard().then(
      () => done(error),
      (cause: unknown) => done(error ?? (cause instanceof Error ? cause : null)),
    )
  }

  #run(work: () => Promise<unknown>, done: (error?: Error | null) => void): void {
    const working = work()
    this.#working = working.catch(() => undefined)
    working.then(
      () => done(),
      (cause: unknown) => {
        const error = this.#options.translate(cause)
        done(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }
}

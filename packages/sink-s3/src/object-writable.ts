import { Writable } from 'node:stream'

/** An upload in parts that has begun. */
export interface PartsUpload {
  /** Takes bytes over, a few at a time. Resolves when more may come. */
  write(bytes: Buffer): Promise<void>
  complete(): Promise<void>
  /** Ends it, and removes the parts. */
  discard(): Promise<void>
}

export interface ObjectWritableOptions {
  /** What fits is stored by `put`, in one request. */
  readonly partBytes: number
  readonly signal?: AbortSignal | undefined
  put(bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /** @param fail - called when it has failed, whether or not anybody waits for it */
  begin(signal: AbortSignal, fail: (error: unknown) => void): Promise<PartsUpload>
  translate(error: unknown): unknown
}

const SLAB_BYTES = 256 * 1024

/** Commits in `final`, undoes in `destroy`: a destroyed stream leaves nothing visible, nor parts of it. */
export class ObjectWritable extends Writable {
  readonly #options: ObjectWritableOptions
  readonly #cancel = new AbortController()
  /**
   * Full ones, until it is known whether there will be parts. What is written is copied, for the caller may use its buffer again, and one
   * byte at a time is no buffer each.
   */
  #slabs: Buffer[] = []
  #slab: Buffer = Buffer.alloc(0)
  #filled = 0
  #upload: PartsUpload | undefined
  #working: Promise<unknown> = Promise.resolve()
  #committed = false

  constructor(options: ObjectWritableOptions) {
    super({ highWaterMark: SLAB_BYTES, ...(options.signal && { signal: options.signal }) })
    this.#options = options
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#run(async () => {
      for (let at = 0; at < bytes.length; ) {
        if (this.#filled === this.#slab.length) await this.#nextSlab()
        const copied = bytes.copy(this.#slab, this.#filled, at)
        this.#filled += copied
        at += copied
      }
    }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#run(async () => {
      const last = this.#slab.subarray(0, this.#filled)
      if (this.#upload) {
        await this.#upload.write(last)
        await this.#upload.complete()
      } else await this.#options.put(joined([...this.#slabs, last]), this.#cancel.signal)
      this.#committed = true
    }, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const discard = async () => {
      if (this.#committed) return
      this.#cancel.abort(error ?? new Error('the stream was destroyed'))
      await this.#working
      await this.#upload?.discard()
    }
    discard().then(
      () => done(error),
      (cause: unknown) => done(error ?? toError(cause)),
    )
  }

  /** Called when there is a byte to come: what is one part is none. */
  async #nextSlab(): Promise<void> {
    if (this.#filled > 0) this.#slabs.push(this.#slab)
    this.#filled = 0
    if (this.#upload || this.#slabs.length * SLAB_BYTES >= this.#options.partBytes) {
      this.#upload ??= await this.#options.begin(this.#cancel.signal, (cause) =>
        this.destroy(toError(this.#options.translate(cause))),
      )
      for (const slab of this.#slabs.splice(0)) await this.#upload.write(slab)
    }
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  }

  #run(work: () => Promise<void>, done: (error?: Error | null) => void): void {
    const working = work()
    this.#working = working.catch(() => undefined)
    working.then(
      () => done(),
      (cause: unknown) => done(toError(this.#options.translate(cause))),
    )
  }
}

function joined(slabs: readonly Buffer[]): Buffer {
  const [only] = slabs
  return only && slabs.length === 1 ? only : Buffer.concat(slabs)
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}

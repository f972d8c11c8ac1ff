import { Writable } from 'node:stream'

/** An upload in parts that has begun. */
export interface PartsUpload {
  /** Takes a part over. Resolves when it is on its way: another may be got ready. */
  send(part: Buffer): Promise<void>
  complete(): Promise<void>
  /** Ends it, and removes the parts. */
  discard(): Promise<void>
}

export interface ObjectWritableOptions {
  /** What fits is stored by `put`, in one request. */
  readonly partBytes: number
  readonly signal?: AbortSignal
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
   * Full ones of the part that is coming: small ones until it is known that there will be parts, then one is a part. What is written
   * is copied, for the caller may use its buffer again, and one byte at a time is no buffer each.
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
      const last = joined([...this.#slabs, this.#slab.subarray(0, this.#filled)])
      if (this.#upload) {
        await this.#upload.send(last)
        await this.#upload.complete()
      } else await this.#options.put(last, this.#cancel.signal)
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

  /** Called when there is a byte to come: the last part is never empty, and all before it have the same size, as some stores want. */
  async #nextSlab(): Promise<void> {
    if (this.#filled > 0) this.#slabs.push(this.#slab)
    if (this.#upload || this.#slabs.length * SLAB_BYTES >= this.#options.partBytes) {
      this.#upload ??= await this.#options.begin(this.#cancel.signal, (cause) =>
        this.destroy(toError(this.#options.translate(cause))),
      )
      const part = joined(this.#slabs)
      this.#slabs = []
      await this.#upload.send(part)
      this.#slab = Buffer.allocUnsafeSlow(part.length)
    } else this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    this.#filled = 0
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

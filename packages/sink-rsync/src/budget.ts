import { SinkError, unlessAborted } from '@pipe-backup/sink'

/** What is held of a budget. */
export interface Share extends Disposable {
  /** Gives back all but so many bytes. */
  shrinkTo(bytes: number): void
}

/** So many bytes may be held at once: who wants more waits, in order of coming, until others give back. */
export class Budget {
  readonly totalBytes: number
  readonly #sink: string
  #freeBytes: number
  readonly #waiting: { readonly bytes: number; readonly serve: (share: Share) => void }[] = []

  constructor(sink: string, totalBytes: number) {
    this.#sink = sink
    this.totalBytes = totalBytes
    this.#freeBytes = totalBytes
  }

  /** @throws SinkError `too-large` for more than there is at all; the signal's reason */
  async take(bytes: number, signal?: AbortSignal): Promise<Share> {
    if (bytes > this.totalBytes) throw this.tooLarge(bytes)
    const { promise, resolve } = Promise.withResolvers<Share>()
    const waiter = { bytes, serve: resolve }
    this.#waiting.push(waiter)
    this.#serve()
    try {
      return await unlessAborted(promise, signal)
    } catch (error) {
      const at = this.#waiting.indexOf(waiter)
      if (at >= 0) this.#waiting.splice(at, 1)
      else (await promise)[Symbol.dispose]()
      this.#serve()
      throw error
    }
  }

  /** The failure of who wants more than there is. */
  tooLarge(bytes: number): SinkError {
    const what = `needs ${bytes} bytes of memory or more, and ${this.totalBytes} may be used for all`
    const hint =
      'rsync sends whole files: raise spoolBytes, and the size of the tmpfs if that is the limit, or store smaller objects.'
    return new SinkError('too-large', what, { sink: this.#sink, hint })
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#freeBytes; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#freeBytes -= next.bytes
      next.serve(this.#share(next.bytes))
    }
  }

  #share(heldBytes: number): Share {
    const shrinkTo = (bytes: number): void => {
      this.#freeBytes += Math.max(0, heldBytes - bytes)
      heldBytes = Math.min(heldBytes, bytes)
      this.#serve()
    }
    return { shrinkTo, [Symbol.dispose]: () => shrinkTo(0) }
  }
}

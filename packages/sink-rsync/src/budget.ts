import { SinkError } from '@pipe-backup/sink'

/** What one holds of a budget; it grows while a stream of unknown length comes in. */
export class Share implements Disposable {
  heldBytes = 0
  readonly #giveBack: (share: Share, bytes: number) => void

  constructor(giveBack: (share: Share, bytes: number) => void) {
    this.#giveBack = giveBack
  }

  /** Gives back all but so many bytes. */
  shrinkTo(bytes: number): void {
    if (bytes < this.heldBytes) this.#giveBack(this, this.heldBytes - bytes)
  }

  [Symbol.dispose](): void {
    this.shrinkTo(0)
  }
}

interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** So many bytes may be held at once: who wants more waits until others give back. */
export class Budget {
  readonly totalBytes: number
  readonly #sink: string
  #freeBytes: number
  readonly #holders = new Set<Share>()
  /** In order of coming. */
  readonly #waiting = new Map<Share, Waiter>()

  constructor(sink: string, totalBytes: number) {
    this.#sink = sink
    this.totalBytes = totalBytes
    this.#freeBytes = totalBytes
  }

  open(): Share {
    return new Share((share, bytes) => {
      share.heldBytes -= bytes
      this.#freeBytes += bytes
      if (share.heldBytes === 0) this.#holders.delete(share)
      this.#serve()
    })
  }

  /** @throws SinkError `too-large` when waiting makes no sense: streams that have not ended hold everything */
  async take(share: Share, bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (share.heldBytes + bytes > this.totalBytes) throw this.#tooLarge(share.heldBytes + bytes)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => this.#refuse(share, signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.set(share, { bytes, resolve, reject })
    this.#serve()
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #refuse(share: Share, reason: unknown): void {
    this.#waiting.get(share)?.reject(reason)
    this.#waiting.delete(share)
    this.#serve()
  }

  #serve(): void {
    for (;;) {
      const waiting = [...this.#waiting]
      // Who holds something already must be able to end before others begin.
      const next = waiting.find(([{ heldBytes }, { bytes }]) => heldBytes > 0 && bytes <= this.#freeBytes)
      const [share, waiter] = next ?? waiting[0] ?? []
      if (!share || !waiter) return
      if (waiter.bytes > this.#freeBytes) break
      this.#waiting.delete(share)
      this.#freeBytes -= waiter.bytes
      share.heldBytes += waiter.bytes
      this.#holders.add(share)
      waiter.resolve()
    }
    // When all that is held is held by streams that wait for more, none of them would ever end. One that is refused gives back.
    for (const share of this.#holders) if (!this.#waiting.has(share)) return
    const last = [...this.#waiting].findLast(([{ heldBytes }]) => heldBytes > 0)
    if (last) this.#refuse(last[0], this.#tooLarge(last[0].heldBytes + last[1].bytes))
  }

  #tooLarge(bytes: number): SinkError {
    const what = `needs ${bytes} bytes of memory, and ${this.totalBytes} may be used for all`
    const hint =
      'rsync sends whole files: raise spoolBytes, and the size of the tmpfs if that is the limit, or store smaller objects.'
    return new SinkError('too-large', what, { sink: this.#sink, hint })
  }
}

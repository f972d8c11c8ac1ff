import { SinkError } from '@pipe-backup/sink'

/** What one holds of a budget; it grows while a stream of unknown length comes in. */
export class Share implements Disposable {
  heldBytes = 0
  /** For more. */
  waiting = false
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
  readonly share: Share
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
  readonly #waiting: Waiter[] = []
  readonly #makeRoom: (() => boolean) | undefined

  /** @param makeRoom - gives back something that is held for convenience; false when there is nothing */
  constructor(sink: string, totalBytes: number, makeRoom?: () => boolean) {
    this.#sink = sink
    this.totalBytes = totalBytes
    this.#freeBytes = totalBytes
    this.#makeRoom = makeRoom
  }

  open(): Share {
    return new Share((share, bytes) => this.#giveBack(share, bytes))
  }

  /** @throws SinkError `too-large` when waiting makes no sense: streams that have not ended hold everything */
  async take(share: Share, bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (share.heldBytes + bytes > this.totalBytes) throw this.#tooLarge(share.heldBytes + bytes)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { share, bytes, resolve, reject }
    const onAbort = () => this.#leave(waiter, signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    share.waiting = true
    this.#waiting.push(waiter)
    this.#serve()
    try {
      await promise
    } finally {
      share.waiting = false
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #leave(waiter: Waiter, reason: unknown): void {
    const at = this.#waiting.indexOf(waiter)
    if (at === -1) return
    this.#waiting.splice(at, 1)
    // At once: it is about to give back what it holds, and the others must not be refused for its sake.
    waiter.share.waiting = false
    waiter.reject(reason)
    this.#serve()
  }

  #giveBack(share: Share, bytes: number): void {
    share.heldBytes -= bytes
    this.#freeBytes += bytes
    if (share.heldBytes === 0) this.#holders.delete(share)
    this.#serve()
  }

  #serve(): void {
    for (;;) {
      // In order of coming; but who holds something already must be able to end before others begin.
      const next = this.#waiting.find(({ share, bytes }) => share.heldBytes > 0 && bytes <= this.#freeBytes)
      const waiter = next ?? this.#waiting[0]
      if (!waiter) return
      if (waiter.bytes > this.#freeBytes) {
        if (this.#makeRoom?.()) continue
        this.#refuseStuck()
        return
      }
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      this.#freeBytes -= waiter.bytes
      waiter.share.heldBytes += waiter.bytes
      this.#holders.add(waiter.share)
      waiter.resolve()
    }
  }

  /** When all that is held is held by streams that wait for more, none of them would ever end. */
  #refuseStuck(): void {
    for (const { waiting } of this.#holders) if (!waiting) return
    const last = this.#waiting.findLast(({ share }) => share.heldBytes > 0)
    if (last) this.#leave(last, this.#tooLarge(last.share.heldBytes + last.bytes))
  }

  #tooLarge(bytes: number): SinkError {
    return new SinkError(
      'too-large',
      `needs ${bytes} bytes of memory, and ${this.totalBytes} may be used for all`,
      {
        sink: this.#sink,
        hint: 'rsync sends whole files: raise spoolBytes, and the size of the tmpfs if that is the limit, or store smaller objects.',
      },
    )
  }
}

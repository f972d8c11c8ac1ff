export interface LaneOptions<T> {
  readonly name: string
  readonly concurrency: number
  write(item: T, signal: AbortSignal): Promise<void>
  /** The lane has done with an item: written it, failed to, or dropped it. */
  onDone(item: T): void
  onChange(): void
  readonly signal?: AbortSignal
}

/** One writer's queue: references into the window, not bytes of its own. */
export class FanOutLane<T> {
  readonly name: string
  state: 'ok' | 'failed' | 'detached' = 'ok'
  error: Error | undefined
  written = 0
  missed = 0
  /** When it last finished a write, on performance.now()'s clock. */
  movedAt: number = performance.now()
  readonly #options: LaneOptions<T>
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  #queue: T[] = []
  #writing = 0

  constructor(options: LaneOptions<T>) {
    this.#options = options
    this.name = options.name
    this.#signal = options.signal ? AbortSignal.any([this.#stop.signal, options.signal]) : this.#stop.signal
    options.signal?.addEventListener('abort', () => this.#drop(), { once: true })
  }

  get busy(): boolean {
    return this.pending > 0
  }

  /** Items that it still has to write, or is writing. */
  get pending(): number {
    return this.#queue.length + this.#writing
  }

  push(item: T): void {
    if (this.pending === 0) this.movedAt = performance.now()
    this.#queue.push(item)
    this.#start()
  }

  detach(reason: Error): void {
    this.#fail('detached', reason)
    this.#stop.abort(reason)
  }

  #start(): void {
    while (this.state === 'ok' && this.#writing < this.#options.concurrency) {
      const item = this.#queue.shift()
      if (item === undefined) return
      this.#writing++
      // Never rejects: what goes wrong is this writer's own affair, and ends in its result.
      void this.#write(item)
    }
  }

  async #write(item: T): Promise<void> {
    try {
      await this.#options.write(item, this.#signal)
      this.written++
    } catch (error) {
      this.missed++
      this.#fail('failed', error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#writing--
      this.movedAt = performance.now()
      this.#options.onDone(item)
      this.#start()
      this.#options.onChange()
    }
  }

  #fail(state: 'failed' | 'detached', error: Error): void {
    if (this.state !== 'ok') return
    this.state = state
    this.error = error
    this.#drop()
    this.#options.onChange()
  }

  #drop(): void {
    const dropped = this.#queue
    this.#queue = []
    this.missed += dropped.length
    for (const item of dropped) this.#options.onDone(item)
  }
}

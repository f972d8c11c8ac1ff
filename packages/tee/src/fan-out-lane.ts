import { RateMeter } from './rate-meter.ts'

export interface LaneOptions<T> {
  readonly name: string
  readonly concurrency: number
  sizeOf(item: T): number
  write(item: T, signal: AbortSignal, onBytes: (sizeBytes: number) => void): Promise<void>
  /** The lane has done with an item: written it, failed to, or dropped it. */
  onDone(item: T): void
  /** Bytes of an item have gone. */
  onBytes(lane: FanOutLane<T>, sizeBytes: number): void
  onChange(): void
  readonly signal?: AbortSignal | undefined
}

/** One writer's queue: references into the window, not bytes of its own. */
export class FanOutLane<T> {
  readonly name: string
  state: 'ok' | 'failed' | 'detached' = 'ok'
  error: Error | undefined
  written = 0
  missed = 0
  /** When bytes of it last moved, or it began to write, on performance.now()'s clock. */
  movedAt: number = performance.now()
  readonly #options: LaneOptions<T>
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #meter = new RateMeter()
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

  /** How many items it is writing at this moment. */
  get writing(): number {
    return this.#writing
  }

  /** Whether an item waits that it has a hand free for. */
  get isReady(): boolean {
    return this.state === 'ok' && this.#queue.length > 0 && this.#writing < this.#options.concurrency
  }

  /** What it moves while it writes; undefined when it has not written yet. */
  bytesPerSecond(now: number): number | undefined {
    return this.#meter.bytesPerSecond(now)
  }

  push(item: T): void {
    this.#queue.push(item)
  }

  /** Begins to write the next item. */
  start(): void {
    const item = this.#queue.shift()
    if (item === undefined) return
    if (this.#writing++ === 0) {
      this.movedAt = performance.now()
      this.#meter.start(this.movedAt)
    }
    // Never rejects: what goes wrong is this writer's own affair, and ends in its result.
    void this.#write(item)
  }

  detach(reason: Error): void {
    this.#fail('detached', reason)
    this.#stop.abort(reason)
  }

  async #write(item: T): Promise<void> {
    let moved = 0
    try {
      await this.#options.write(item, this.#signal, (sizeBytes) => {
        moved += sizeBytes
        this.#move(sizeBytes)
      })
      this.written++
      // A writer need not say how it gets on.
      this.#move(Math.max(0, this.#options.sizeOf(item) - moved))
    } catch (error) {
      this.missed++
      this.#fail('failed', error instanceof Error ? error : new Error(String(error)))
    } finally {
      if (--this.#writing === 0) this.#meter.stop(performance.now())
      this.#options.onDone(item)
      this.#options.onChange()
    }
  }

  #move(sizeBytes: number): void {
    this.movedAt = performance.now()
    this.#meter.add(sizeBytes, this.movedAt)
    this.#options.onBytes(this, sizeBytes)
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

import { FanOutLane } from './fan-out-lane.ts'

/** Somewhere that items go to. */
export interface FanOutWriter<T> {
  readonly name: string
  /** Writes one item; rejects when the writer can't go on. The signal fires when the writer is detached or the run is aborted. */
  write(item: T, signal: AbortSignal): Promise<void>
  /** Items that may be written at once. Default 1, which also keeps their order. */
  readonly concurrency?: number
}

export interface FanOutOptions<T> {
  /** How many bytes may be held for all the writers together. An item that is larger goes through alone. */
  readonly windowBytes: number
  sizeOf(item: T): number
  /** Called once for each item when no writer needs it any more: its memory may be used again. */
  readonly onRelease?: (item: T) => void
  /** How long the window may stay full before the writers that fill it are detached. Default 30 s. */
  readonly detachAfterMs?: number
  /** With fewer writers left than this, `push` and `end` fail. Default 1. */
  readonly minWriters?: number
  readonly signal?: AbortSignal
}

export interface FanOutResult {
  readonly name: string
  /** `detached`: it was too slow; `failed`: a write was rejected. */
  readonly state: 'ok' | 'failed' | 'detached'
  readonly error?: Error
  readonly written: number
  readonly missed: number
}

/** One sequence of items to many writers, each at its own pace within a common window. */
export interface FanOut<T> {
  /**
   * Resolves when the item has been taken into the window: back-pressure.
   * @throws the abort's reason; an Error that names each writer's failure when fewer than `minWriters` are left
   */
  push(item: T): Promise<void>
  /** Waits until every writer that is left has written everything. */
  end(): Promise<FanOutResult[]>
}

interface Held<T> {
  readonly item: T
  readonly bytes: number
  /** Lanes that have not done with it. */
  users: number
}

/**
 * Sends each item to all the writers. Every writer has its own place in a common, bounded window of items in memory. One that fails is
 * dropped, one that keeps the window full for too long is detached, and the others never notice.
 */
export function fanOut<T>(writers: readonly FanOutWriter<T>[], options: FanOutOptions<T>): FanOut<T> {
  return new Fan(writers, options)
}

class Fan<T> implements FanOut<T> {
  readonly #options: FanOutOptions<T>
  readonly #lanes: FanOutLane<Held<T>>[]
  readonly #waiters = new Set<() => void>()
  #bytes = 0

  constructor(writers: readonly FanOutWriter<T>[], options: FanOutOptions<T>) {
    this.#options = options
    this.#lanes = writers.map(
      (writer) =>
        new FanOutLane<Held<T>>({
          name: writer.name,
          concurrency: writer.concurrency ?? 1,
          write: (held, signal) => writer.write(held.item, signal),
          onDone: (held) => this.#release(held),
          onChange: () => this.#wake(),
          ...(options.signal && { signal: options.signal }),
        }),
    )
  }

  async push(item: T): Promise<void> {
    const bytes = this.#options.sizeOf(item)
    const held: Held<T> = { item, bytes, users: 1 }
    try {
      await this.#makeRoom(bytes)
      this.#check()
    } catch (error) {
      this.#options.onRelease?.(item)
      throw error
    }
    this.#bytes += bytes
    for (const lane of this.#lanes) {
      if (lane.state !== 'ok') {
        lane.missed++
        continue
      }
      held.users++
      lane.push(held)
    }
    this.#release(held)
  }

  async end(): Promise<FanOutResult[]> {
    while (this.#lanes.some((lane) => lane.busy)) {
      this.#options.signal?.throwIfAborted()
      if (!(await this.#changed(this.#detachAfterMs))) this.#detachSlowest()
    }
    this.#options.signal?.throwIfAborted()
    return this.#lanes.map(({ name, state, error, written, missed }) => ({
      name,
      state,
      written,
      missed,
      ...(error && { error }),
    }))
  }

  get #detachAfterMs(): number {
    return this.#options.detachAfterMs ?? 30_000
  }

  async #makeRoom(bytes: number): Promise<void> {
    let fullSince: number | undefined
    while (this.#bytes > 0 && this.#bytes + bytes > this.#options.windowBytes) {
      this.#check()
      fullSince ??= performance.now()
      const left = this.#detachAfterMs - (performance.now() - fullSince)
      if (left > 0) await this.#changed(left)
      else {
        this.#detachSlowest()
        fullSince = undefined
        // A detached writer gives its items back only when its write has ended: it is waited for, since its memory is in use.
        if (this.#bytes + bytes > this.#options.windowBytes) await this.#changed(this.#detachAfterMs)
      }
    }
  }

  /** Detaches the writers that hold the most, unless all hold as much: then it is the machine or the line that is slow. */
  #detachSlowest(): void {
    const attached = this.#lanes.filter((lane) => lane.state === 'ok' && lane.busy)
    const most = Math.max(...attached.map((lane) => lane.pending))
    const behind = attached.filter((lane) => lane.pending === most)
    const othersLeft = this.#lanes.some((lane) => lane.state === 'ok' && !behind.includes(lane))
    const stuck = behind.filter((lane) => performance.now() - lane.movedAt >= this.#detachAfterMs)
    for (const lane of othersLeft ? behind : stuck) {
      lane.detach(
        new Error(`too slow: it held the others up for ${Math.round(this.#detachAfterMs / 1000)} s`),
      )
    }
  }

  #check(): void {
    this.#options.signal?.throwIfAborted()
    const left = this.#lanes.filter(({ state }) => state === 'ok').length
    if (left >= (this.#options.minWriters ?? 1)) return
    const failures = this.#lanes.flatMap(({ name, error }) => (error ? [`${name}: ${error.message}`] : []))
    throw new Error(`too few writers are left: ${failures.join('; ')}`, {
      cause: this.#lanes.find(({ error }) => error)?.error,
    })
  }

  #release(held: Held<T>): void {
    if (--held.users > 0) return
    this.#bytes -= held.bytes
    this.#options.onRelease?.(held.item)
    this.#wake()
  }

  /** @returns false when nothing changed for so long */
  #changed(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (changed: boolean) => {
        clearTimeout(timer)
        this.#waiters.delete(wake)
        resolve(changed)
      }
      const wake = () => done(true)
      const timer = setTimeout(() => done(false), timeoutMs)
      this.#waiters.add(wake)
    })
  }

  #wake(): void {
    for (const wake of this.#waiters) wake()
  }
}

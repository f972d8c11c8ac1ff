import { FanOutLane } from './fan-out-lane.ts'
import { Turns } from './turns.ts'

/** Somewhere that items go to. */
export interface FanOutWriter<T> {
  readonly name: string
  /**
   * Writes one item; rejects when the writer can't go on. The signal fires when the writer is detached or the run is aborted.
   * @param onBytes - to be called as bytes of the item go: a writer whose bytes move is alive, however slow
   */
  write(item: T, signal: AbortSignal, onBytes: (sizeBytes: number) => void): Promise<void>
  /** Items that may be written at once. Default 1, which also keeps their order. */
  readonly concurrency?: number | undefined
}

export interface FanOutOptions<T> {
  /** How many bytes may be held for all the writers together. An item that is larger goes through alone. */
  readonly windowBytes: number
  sizeOf(item: T): number
  /** Called once for each item when no writer needs it any more: its memory may be used again. */
  readonly onRelease?: ((item: T) => void) | undefined
  /** How long the window may stay full before a writer is detached that is slower than those that wait for it. Default 30 s. */
  readonly detachAfterMs?: number | undefined
  /** A writer is detached only while so many others are left that keep up. Default `minWriters`. */
  readonly minAttached?: number | undefined
  /** With fewer writers left than this, `push` and `end` fail. Default 1. */
  readonly minWriters?: number | undefined
  /**
   * Slow writers that seem to share a line write their items one after the other, the first of the writers first, so that its items
   * are all there before the last one's. For items that are whole by themselves. Default false: all write at once.
   */
  readonly takeTurns?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FanOutResult {
  readonly name: string
  /** `detached`: it was too slow; `failed`: a write was rejected. */
  readonly state: 'ok' | 'failed' | 'detached'
  readonly error?: Error | undefined
  readonly written: number
  readonly missed: number
}

/** One sequence of items to many writers, each at its own pace within a common window. */
export interface FanOut<T> {
  /**
   * Resolves when the item has been taken into the window: back-pressure.
   * @throws the abort's reason; TooFewWritersError
   */
  push(item: T): Promise<void>
  /** After the last item: yields each writer's result as soon as it is through. @throws the abort's reason */
  results(): AsyncGenerator<FanOutResult>
  /** After the last item: waits for all the writers. Results are in the order of the writers. @throws the abort's reason */
  end(): Promise<FanOutResult[]>
}

/** Fewer writers are left than must be. `message` has each one's failure, `cause` is the first of them. */
export class TooFewWritersError extends Error {
  override readonly name = 'TooFewWritersError'
  readonly code = 'too-few-writers'
}

interface Held<T> {
  readonly item: T
  readonly bytes: number
  /** Lanes that have not done with it. */
  users: number
}

const DETACH_AFTER_MS = 30_000
/** A writer is too slow where those that wait for it move so many times what is moving now. */
const TOO_SLOW = 2
const TURN_MS = 1000

/**
 * Sends each item to all the writers. Every writer has its own place in a common, bounded window of items in memory. One that fails is
 * dropped, one that keeps faster ones waiting for too long is detached, and the others never notice.
 */
export function fanOut<T>(writers: readonly FanOutWriter<T>[], options: FanOutOptions<T>): FanOut<T> {
  return new Fan(writers, options)
}

class Fan<T> implements FanOut<T> {
  readonly #options: FanOutOptions<T>
  readonly #lanes: FanOutLane<Held<T>>[]
  readonly #turns: Turns | undefined
  readonly #waiters = new Set<() => void>()
  #bytes = 0
  /** An item waits for room in the window. */
  #isFull = false
  #timer: NodeJS.Timeout | undefined

  constructor(writers: readonly FanOutWriter<T>[], options: FanOutOptions<T>) {
    this.#options = options
    this.#lanes = writers.map(
      (writer) =>
        new FanOutLane<Held<T>>({
          name: writer.name,
          concurrency: writer.concurrency ?? 1,
          sizeOf: ({ bytes }) => bytes,
          write: ({ item }, signal, onBytes) => writer.write(item, signal, onBytes),
          onDone: (held) => this.#release(held),
          onBytes: (lane, sizeBytes) => this.#turns?.add(lane, sizeBytes, performance.now()),
          onChange: () => this.#change(),
          signal: options.signal,
        }),
    )
    if (options.takeTurns === true) this.#turns = new Turns(this.#lanes, performance.now())
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
    this.#isFull = false
    this.#bytes += bytes
    for (const lane of this.#lanes) {
      if (lane.state !== 'ok') {
        lane.missed++
        continue
      }
      held.users++
      lane.push(held)
    }
    this.#start()
    this.#release(held)
  }

  async *results(): AsyncGenerator<FanOutResult> {
    const { signal } = this.#options
    const left = new Set(this.#lanes)
    while (left.size > 0) {
      signal?.throwIfAborted()
      const through = [...left].find((lane) => !lane.busy)
      if (through === undefined) {
        if (!(await this.#changed(this.#detachAfterMs))) this.#detachSilent()
        continue
      }
      left.delete(through)
      const { name, state, error, written, missed } = through
      yield { name, state, error, written, missed }
    }
    signal?.throwIfAborted()
  }

  async end(): Promise<FanOutResult[]> {
    const results: FanOutResult[] = []
    for await (const result of this.results()) results.push(result)
    return this.#lanes.flatMap(({ name }) => results.find((result) => result.name === name) ?? [])
  }

  get #detachAfterMs(): number {
    return this.#options.detachAfterMs ?? DETACH_AFTER_MS
  }

  async #makeRoom(bytes: number): Promise<void> {
    let fullSince: number | undefined
    while (this.#bytes > 0 && this.#bytes + bytes > this.#options.windowBytes) {
      this.#isFull = true
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

  /**
   * Detaches the slowest writer, where enough others would be much faster than all that moves now. Writers that share a line never are:
   * together they carry what one of them could.
   */
  #detachSlowest(): void {
    const now = performance.now()
    const rate = (lane: FanOutLane<Held<T>>) => lane.bytesPerSecond(now) ?? 0
    const writing = this.#lanes.filter((lane) => lane.state === 'ok' && lane.writing > 0)
    const moving = writing.reduce((sum, lane) => sum + rate(lane), 0)
    const slowest = writing.toSorted((a, b) => rate(a) - rate(b))[0]
    if (!slowest) return
    const faster = this.#lanes.filter(
      (lane) => lane.state === 'ok' && !lane.busy && rate(lane) >= moving * TOO_SLOW,
    )
    this.#detach(slowest, faster.length, `${Math.round(rate(slowest) / 1000)} kB/s`)
  }

  /** At the end, when others are through, nothing is waited for that does not move at all. */
  #detachSilent(): void {
    const through = this.#lanes.filter((lane) => lane.state === 'ok' && !lane.busy).length
    const silentSince = performance.now() - this.#detachAfterMs
    for (const lane of this.#lanes) {
      if (lane.writing > 0 && lane.movedAt <= silentSince)
        this.#detach(lane, through, `nothing for ${Math.round(this.#detachAfterMs / 1000)} s`)
    }
  }

  #detach(lane: FanOutLane<Held<T>>, othersLeft: number, what: string): void {
    const { minWriters = 1, minAttached = minWriters } = this.#options
    if (othersLeft === 0 || othersLeft < minAttached) return
    lane.detach(
      new Error(`too slow: it took ${what} while ${othersLeft === 1 ? 'another' : 'others'} waited for it`),
    )
  }

  #check(): void {
    this.#options.signal?.throwIfAborted()
    const left = this.#lanes.filter(({ state }) => state === 'ok').length
    if (left >= (this.#options.minWriters ?? 1)) return
    const failures = this.#lanes.flatMap(({ name, error }) => (error ? [`${name}: ${error.message}`] : []))
    throw new TooFewWritersError(`too few writers are left: ${failures.join('; ')}`, {
      cause: this.#lanes.find(({ error }) => error)?.error,
    })
  }

  /** Begins what may begin: the first writers' items first. */
  #start(): void {
    for (const lane of this.#inOrder()) {
      while (lane.isReady && (this.#turns?.admits(lane, performance.now()) ?? true)) lane.start()
    }
    // Who waits for a turn gets it also when no other one's item ends.
    const isWaiting = this.#turns !== undefined && this.#lanes.some(({ busy }) => busy)
    if (isWaiting) this.#timer ??= setInterval(() => this.#turn(), TURN_MS).unref()
    else {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  /**
   * The first writer is to be through first, and so on; but while an item waits for room the others are held to what fills the window, so
   * that the first one gets it soon.
   */
  #inOrder(): readonly FanOutLane<Held<T>>[] {
    if (this.#turns === undefined || !this.#isFull) return this.#lanes
    const [first, ...others] = this.#lanes.filter(({ state }) => state === 'ok')
    return first ? [first, ...others.sort((a, b) => b.pending - a.pending)] : []
  }

  #turn(): void {
    if (this.#turns?.tick(performance.now())) this.#start()
  }

  #change(): void {
    this.#start()
    this.#wake()
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

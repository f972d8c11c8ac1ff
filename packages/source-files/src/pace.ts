import { setImmediate } from 'node:timers/promises'

/** How long other work may have to wait. */
const SLICE_MS = 10

/** Cuts synchronous work into slices, between which timers and sockets have their turn. */
export class Pace {
  #sinceMs: number = performance.now()

  /** True when a slice is full: then `rest` is to be awaited. Apart, for a promise per entry would cost more than it. */
  get due(): boolean {
    return performance.now() - this.#sinceMs > SLICE_MS
  }

  async rest(): Promise<void> {
    await setImmediate()
    this.#sinceMs = performance.now()
  }
}

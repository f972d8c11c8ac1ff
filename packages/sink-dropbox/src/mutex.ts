import { abortable } from './abortable.ts'

/** One at a time, in the order in which they came. */
export class Mutex {
  #last: Promise<void> = Promise.resolve()

  /** @returns what gives it free again; more than once does no harm */
  async lock(signal?: AbortSignal): Promise<() => void> {
    const before = this.#last
    const free = Promise.withResolvers<void>()
    this.#last = free.promise
    try {
      await abortable(before, signal)
    } catch (error) {
      // Who gave up waiting must not let the next one overtake those who are still before it.
      void before.then(free.resolve)
      throw error
    }
    return free.resolve
  }
}

import type { PulledObject } from './pulled-object.ts'

const MOST = 4
const KEPT_MS = 30_000

interface Kept {
  readonly pulled: PulledObject
  readonly timer: NodeJS.Timeout
}

/**
 * Objects of which a range was read, for the next range: rsync knows no ranges, and who wants one often wants another. Reads of
 * whole objects don't come here: they show what the server has.
 */
export class RecentObjects implements AsyncDisposable {
  readonly #kept = new Map<string, Kept>()
  readonly #going = new Set<Promise<void>>()
  #changes = 0

  /** Grows with every change by this process: what was read before it may be old. */
  get changes(): number {
    return this.#changes
  }

  /** Takes one out: it is the caller's, to keep again or to dispose of. */
  take(key: string): PulledObject | undefined {
    const kept = this.#kept.get(key)
    if (!kept) return undefined
    clearTimeout(kept.timer)
    this.#kept.delete(key)
    return kept.pulled
  }

  /** @param since - `changes` when it was read or taken */
  keep(key: string, pulled: PulledObject, since: number): void {
    if (since !== this.#changes || this.#kept.has(key)) return this.#drop(pulled)
    const timer = setTimeout(() => this.#forget(key), KEPT_MS).unref()
    this.#kept.set(key, { pulled, timer })
    if (this.#kept.size > MOST) this.dropOldest()
  }

  /** An object is about to change. */
  changed(key: string): void {
    this.#changes++
    this.#forget(key)
  }

  /** @returns false when there is none */
  dropOldest(): boolean {
    for (const key of this.#kept.keys()) {
      this.#forget(key)
      return true
    }
    return false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.dropOldest());
    await Promise.all(this.#going)
  }

  #forget(key: string): void {
    const pulled = this.take(key)
    if (pulled) this.#drop(pulled)
  }

  #drop(pulled: PulledObject): void {
    const going = pulled[Symbol.asyncDispose]()
      // What can't be removed now goes with the spool.
      .catch(() => undefined)
      .finally(() => this.#going.delete(going))
    this.#going.add(going)
  }
}

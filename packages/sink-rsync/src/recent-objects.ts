/** A pack and more. */
export const MAX_RECENT_BYTES: number = 32 * 1024 * 1024
const MAX_OBJECTS = 4
const KEPT_MS = 30_000

/**
 * A few objects of which a range was read, for the next range: rsync knows no ranges, and who wants one often wants another. Reads of
 * whole objects don't come here: they show what the server has.
 */
export class RecentObjects {
  /** How many changes this process has made: what was asked for before the last may be old. */
  changes = 0
  readonly #kept = new Map<string, { readonly bytes: Buffer; readonly until: number }>()

  get(key: string): Buffer | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.until > Date.now() ? kept.bytes : undefined
  }

  /** @param since - `changes` when it was asked for */
  keep(key: string, bytes: Buffer, since: number): void {
    if (since !== this.changes) return
    this.#kept.delete(key)
    this.#kept.set(key, { bytes, until: Date.now() + KEPT_MS })
    for (const oldest of this.#kept.keys()) if (this.#kept.size > MAX_OBJECTS) this.#kept.delete(oldest)
  }

  /** To be called before objects change, and after it. */
  changed(keys: readonly string[]): void {
    this.changes++
    for (const key of keys) this.#kept.delete(key)
  }
}

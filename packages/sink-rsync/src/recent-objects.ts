const KEPT_MS = 30_000

interface Kept {
  readonly bytes: Buffer
  readonly timer: NodeJS.Timeout
}

/**
 * Objects of which a range was read, for the next range: rsync knows no ranges, and who wants one often wants another. Reads of
 * whole objects don't come here: they show what the server has.
 */
export class RecentObjects {
  static readonly maxBytes: number = 64 * 1024 * 1024
  readonly #kept = new Map<string, Kept>()
  #heldBytes = 0
  #changes = 0

  /** Grows with every change by this process: what was asked for before it may be old. */
  get changes(): number {
    return this.#changes
  }

  get(key: string): Buffer | undefined {
    return this.#kept.get(key)?.bytes
  }

  /** @param since - `changes` when it was asked for */
  keep(key: string, bytes: Buffer, since: number): void {
    if (since !== this.#changes) return
    this.#forget(key)
    this.#kept.set(key, { bytes, timer: setTimeout(() => this.#forget(key), KEPT_MS).unref() })
    this.#heldBytes += bytes.length
    for (const oldest of this.#kept.keys()) if (this.#heldBytes > RecentObjects.maxBytes) this.#forget(oldest)
  }

  /** An object changes: before that, and after it. */
  changed(key: string): void {
    this.#changes++
    this.#forget(key)
  }

  clear(): void {
    for (const key of this.#kept.keys()) this.changed(key)
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key)
    clearTimeout(kept?.timer)
    this.#heldBytes -= kept?.bytes.length ?? 0
    this.#kept.delete(key)
  }
}

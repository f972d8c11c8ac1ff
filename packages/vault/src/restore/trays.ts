/** Memory of a tray: what is opened at a time, and at least one of the chunks that this program writes. */
export const TRAY_BYTES: number = 4 * 1024 * 1024
/** Being read, read just now, and ahead. */
const MAX_TRAYS = 7

/** Memory with opened chunks, or that chunks are being opened into. */
export interface Tray<T> {
  readonly memory: SharedArrayBuffer
  /** While chunks are being opened into it. */
  isBusy: boolean
  /** What has its place here. */
  readonly items: T[]
  /** Resolves when the chunks are there, or are not going to be. */
  readonly done: Promise<void>
}

/** Trays, which are used again: how many there are bounds what is opened ahead. */
export class Trays<T> {
  /** In the order in which they are read. */
  readonly #trays: Tray<T>[] = []
  readonly #free: SharedArrayBuffer[] = []

  /**
   * A tray for what is read after all others; undefined while there is none.
   * @param isPassed - whether something has been read
   * @param drop - called with what is not opened any more
   */
  take(done: Promise<void>, isPassed: (item: T) => boolean, drop: (item: T) => void): Tray<T> | undefined {
    if (this.#free.length === 0 && this.#trays.length >= MAX_TRAYS) this.#recycle(isPassed, drop)
    if (this.#free.length === 0 && this.#trays.length >= MAX_TRAYS) return undefined
    const memory = this.#free.pop() ?? new SharedArrayBuffer(TRAY_BYTES)
    const tray: Tray<T> = { memory, isBusy: true, items: [], done }
    this.#trays.push(tray)
    return tray
  }

  /** A tray that got nothing. */
  giveBack(tray: Tray<T>): void {
    this.#trays.splice(this.#trays.indexOf(tray), 1)
    this.#free.push(tray.memory)
  }

  /** The oldest that has been read; the one that was read last stays, as several files may be read side by side. */
  #recycle(isPassed: (item: T) => boolean, drop: (item: T) => void): void {
    const passed = this.#trays.filter(({ isBusy, items }) => !isBusy && items.every(isPassed))
    const [oldest] = passed
    if (!oldest || passed.length < 2) return
    for (const item of oldest.items) drop(item)
    this.giveBack(oldest)
  }
}

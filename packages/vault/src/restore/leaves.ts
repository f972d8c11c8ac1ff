import type { ManifestEntry } from '../format/manifest-node.ts'

/** A leaf of a manifest that is read from the front, and the way to the next. */
export class Leaf {
  readonly number: number
  readonly entries: readonly ManifestEntry[]
  readonly #source: AsyncIterator<readonly ManifestEntry[]>
  #next: Promise<Leaf | undefined> | undefined

  private constructor(
    number: number,
    entries: readonly ManifestEntry[],
    source: AsyncIterator<readonly ManifestEntry[]>,
  ) {
    this.number = number
    this.entries = entries
    this.#source = source
  }

  /** Before the first leaf of `source`: one without entries. */
  static before(source: AsyncIterator<readonly ManifestEntry[]>): Leaf {
    return new Leaf(0, [], source)
  }

  /** The same object for all leaves of a manifest. */
  get manifest(): object {
    return this.#source
  }

  /** The next leaf, which is read once for all who ask; undefined after the last. */
  next(): Promise<Leaf | undefined> {
    if (!this.#next) {
      this.#next = this.#read()
      // Who comes to it is given the error; nobody may.
      this.#next.catch(() => undefined)
    }
    return this.#next
  }

  async #read(): Promise<Leaf | undefined> {
    const step = await this.#source.next()
    return step.done ? undefined : new Leaf(this.number + 1, step.value, this.#source)
  }
}

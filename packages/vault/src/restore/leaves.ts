import type { ManifestEntry } from '../format/manifest-node.ts'

/** Where the leaves of a manifest come from, and how far the restore has come. */
interface Course {
  readonly source: AsyncIterator<readonly ManifestEntry[]>
  reached: Leaf | undefined
}

/**
 * A leaf of a manifest that is read from the front, and the way to the next. A leaf that was passed leads to where the restore is: whoever holds one
 * for longer, as a generator may that V8 has optimized, does not hold all that followed.
 */
export class Leaf {
  readonly number: number
  readonly entries: readonly ManifestEntry[]
  readonly #course: Course
  #next: Promise<Leaf | undefined> | undefined
  #isPassed = false

  private constructor(number: number, entries: readonly ManifestEntry[], course: Course) {
    this.number = number
    this.entries = entries
    this.#course = course
  }

  /** Before the first leaf of `source`: one without entries. */
  static before(source: AsyncIterator<readonly ManifestEntry[]>): Leaf {
    return new Leaf(0, [], { source, reached: undefined })
  }

  /** The same object for all leaves of a manifest. */
  get manifest(): object {
    return this.#course
  }

  /** The next leaf, which is read once for all who ask; undefined after the last. Of one that was passed, the one that is restored. */
  next(): Promise<Leaf | undefined> {
    if (this.#isPassed) return Promise.resolve(this.#course.reached)
    if (!this.#next) {
      this.#next = this.#read()
      // A caller that comes to it gets the error; there may be none.
      this.#next.catch(() => undefined)
    }
    return this.#next
  }

  /** The restore goes on to the next leaf. */
  async pass(): Promise<Leaf | undefined> {
    const next = await this.next()
    this.#course.reached = next
    this.#isPassed = true
    this.#next = undefined
    return next
  }

  async #read(): Promise<Leaf | undefined> {
    const step = await this.#course.source.next()
    return step.done ? undefined : new Leaf(this.number + 1, step.value, this.#course)
  }
}

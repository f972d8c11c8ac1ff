import type { BigIntStats } from 'node:fs'

interface First {
  readonly path: Uint8Array
  /** How many more names there are to meet. */
  left: bigint
}

/** Which files with several names have been met. Holds those only, and each only until its last name was met. */
export class Links {
  readonly #firsts = new Map<string, First>()

  /** The path under which this file came earlier; else `undefined`, and from now on it is `path`. */
  earlier(stat: BigIntStats, path: Uint8Array): Uint8Array | undefined {
    const key = keyOf(stat)
    const first = this.#firsts.get(key)
    if (first === undefined) {
      this.#firsts.set(key, { path: Uint8Array.from(path), left: stat.nlink - 1n })
      return undefined
    }
    first.left -= 1n
    if (first.left <= 0n) this.#firsts.delete(key)
    return first.path
  }

  /** To be called when the first name could not be read: the next name is then a file of its own. */
  forgetter(stat: BigIntStats): () => void {
    const key = keyOf(stat)
    return () => this.#firsts.delete(key)
  }
}

/** The time of birth tells a file from a later one that was given the number of a deleted one. */
function keyOf(stat: BigIntStats): string {
  return `${stat.dev}.${stat.ino}.${stat.birthtimeNs}`
}

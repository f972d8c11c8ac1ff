import type { BigIntStats } from 'node:fs'

interface First {
  /** One character for each byte: a third of the memory that a Uint8Array of its own takes. */
  readonly path: string
  /** How many more names there are to meet. */
  left: number
}

/**
 * Which files with several names have been met. Holds those only, and each only until its last name was met: about
 * 200 bytes for each whose other names lie elsewhere.
 */
export class Links {
  readonly #firsts = new Map<string, First>()

  /** The path under which this file came earlier; else `undefined`, and from now on it is `path`. */
  earlier(stat: BigIntStats, path: Uint8Array): Uint8Array | undefined {
    const key = linkKey(stat)
    const first = this.#firsts.get(key)
    if (first === undefined) {
      this.#firsts.set(key, { path: Buffer.from(path).toString('latin1'), left: Number(stat.nlink) - 1 })
      return undefined
    }
    if (--first.left <= 0) this.#firsts.delete(key)
    return Buffer.from(first.path, 'latin1')
  }

  /** To be called when the first name does not have its bytes: the next name is then a file of its own. */
  forget(key: string): void {
    this.#firsts.delete(key)
  }
}

const KEY_BYTES = 24
const scratch = Buffer.alloc(KEY_BYTES)

/**
 * Names a file, whatever its names are. The time of birth distinguishes it from a later one that was given the number of a
 * deleted one; where a file system keeps none, the time of the last change does, at the price that a file which changes
 * during the walk is taken for two.
 */
export function linkKey({ dev, ino, birthtimeNs, ctimeNs }: BigIntStats): string {
  scratch.writeBigUInt64LE(BigInt.asUintN(64, dev), 0)
  scratch.writeBigUInt64LE(BigInt.asUintN(64, ino), 8)
  scratch.writeBigUInt64LE(BigInt.asUintN(64, birthtimeNs === 0n ? ctimeNs : birthtimeNs), 16)
  return scratch.toString('latin1')
}

import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { within } from './file-calls.ts'
import type { LeftOutDirectory } from './files.ts'

/** A directory on a server that is gone must not hold up the walk of others; it is none of theirs then. */
const ANSWER_MS = 10_000

/** Finds directories that are to be left out, by device and inode. */
export class LeftOut {
  readonly #what = new Map<string, string>()

  static async find(
    directories: readonly LeftOutDirectory[],
    signal: AbortSignal | undefined,
  ): Promise<LeftOut> {
    const found = new LeftOut()
    await Promise.all(
      directories.map(async ({ path, what }) => {
        try {
          const tooLong = AbortSignal.timeout(ANSWER_MS)
          const until = signal === undefined ? tooLong : AbortSignal.any([signal, tooLong])
          found.#what.set(keyOf(await within(until, () => stat(path, { bigint: true }))), what)
        } catch {
          // Not there, or not to be reached: the walk won't meet it.
          signal?.throwIfAborted()
        }
      }),
    )
    return found
  }

  /** What a directory is, should it be one of them. */
  whatIs(directory: BigIntStats): string | undefined {
    return this.#what.size === 0 ? undefined : this.#what.get(keyOf(directory))
  }
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

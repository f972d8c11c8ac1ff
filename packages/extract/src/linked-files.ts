import { type BigIntStats, lstatSync } from 'node:fs'
import { type HardlinkEntry, SourceError } from '@pipe-backup/source'
import { keyOf } from './path-key.ts'
import { safeComponents } from './safe-path.ts'
import type { TargetDirectory } from './target-directory.ts'

/** Of so many files it is known that they were not written. */
const MAX_FAILED = 10_000

/** The files that hard links are other names of. */
export class LinkedFiles {
  readonly #target: TargetDirectory
  /** Keys of files that were not written: what is there under their names is not what a hard link means. */
  readonly #failed = new Set<string>()

  constructor(target: TargetDirectory) {
    this.#target = target
  }

  /** Remembers a file that was not written. */
  fail(key: string): void {
    if (this.#failed.size < MAX_FAILED) this.#failed.add(key)
  }

  /** Where the file is that a hard link is another name of. @throws SourceError when it is not there, or was not written */
  pathOf({ linkTo }: HardlinkEntry): Buffer {
    const components = safeComponents(linkTo)
    const target = this.#target.pathOf(components)
    const real =
      this.#target.parentsAreReal(components) && lstatSync(target, { throwIfNoEntry: false })?.isFile()
    if (!real)
      throw new SourceError('vanished', `was not linked: ${Buffer.from(linkTo).toString()} is not there`)
    if (this.#failed.has(keyOf(linkTo)))
      throw new SourceError('vanished', `was not linked: ${Buffer.from(linkTo).toString()} was not written`)
    return target
  }

  /** Whether it is another name of its file already: a rename of one name to another of the same file would leave both. */
  isLinked(there: BigIntStats, entry: HardlinkEntry): boolean {
    const linked = lstatSync(this.pathOf(entry), { bigint: true })
    return linked.ino === there.ino && linked.dev === there.dev
  }
}

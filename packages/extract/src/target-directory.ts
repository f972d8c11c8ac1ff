import { type BigIntStats, lstatSync, mkdirSync } from 'node:fs'
import { SourceError } from '@pipe-backup/source'
import { FoldedNames, foldsNames } from './folded-names.ts'

const SLASH = Buffer.from('/')

/**
 * The directories below a target. Every component of a path is looked at before anything is made in it, and must be a real directory: what
 * the archive, or somebody before it, has put there as a link is never gone through. The last directory looked at is remembered; a
 * directory that has been seen can't become a link, because nothing here replaces a directory.
 */
export class TargetDirectory {
  readonly root: Buffer
  readonly #onEnter: (components: Buffer[], info: BigIntStats) => void
  readonly #folds: (root: Buffer) => boolean
  /** Where the file system folds names; null where it does not. */
  #names: FoldedNames | null | undefined
  #verified: Buffer[] = []
  /** How many of those at the end were made here, and not left since: nobody else has put anything there. */
  #made = 0

  /**
   * @param onEnter - called with each directory that was there already, before anything is made in it
   * @param folds - whether the file system there takes names for one that differ in case alone; asked before the first is made
   */
  constructor(
    root: string,
    onEnter: (components: Buffer[], info: BigIntStats) => void,
    folds: (root: Buffer) => boolean = foldsNames,
  ) {
    this.root = Buffer.from(root)
    this.#onEnter = onEnter
    this.#folds = folds
  }

  /** The path below the target. */
  pathOf(components: readonly Buffer[]): Buffer {
    let length = this.root.length
    for (const component of components) length += 1 + component.length
    const path = Buffer.allocUnsafe(length)
    let at = this.root.copy(path)
    for (const component of components) {
      path[at++] = 0x2f
      at += component.copy(path, at)
    }
    return path
  }

  /**
   * Makes sure that the directories above the last component are there, and real.
   * @throws SourceError when one is a link or no directory, or a name is taken by one that this file system takes for the same
   */
  ensureParents(components: readonly Buffer[]): void {
    if (this.#names === undefined) this.#names = this.#folds(this.root) ? new FoldedNames() : null
    this.#names?.claim(components)
    const depth = components.length - 1
    let same = 0
    while (
      same < depth &&
      same < this.#verified.length &&
      this.#verified[same]?.equals(components[same] ?? SLASH)
    )
      same++
    this.#made = Math.max(0, this.#made - (this.#verified.length - same))
    this.#verified.length = same
    for (let i = same; i < depth; i++) {
      const upTo = components.slice(0, i + 1)
      const path = this.pathOf(upTo)
      const info = lstatSync(path, { throwIfNoEntry: false, bigint: true })
      if (!info) mkdirSync(path, { mode: 0o755 })
      else if (info.isDirectory()) this.#onEnter(upTo, info)
      else {
        const shown = Buffer.concat(components.flatMap((component) => [component, SLASH]))
          .toString()
          .slice(0, -1)
        throw new SourceError('unreadable', `${shown} was not written: ${path.toString()} is no directory`, {
          path: shown,
        })
      }
      this.#push(components[i] ?? SLASH, info === undefined)
    }
  }

  /** A directory whose parents were ensured just now is there, and real. @param isMade - it was not before */
  entered(components: readonly Buffer[], isMade: boolean): void {
    this.#push(components.at(-1) ?? SLASH, isMade)
  }

  /** Whether the directory whose path was ensured last was made here just now, so that nothing is in it but what was put there since. */
  get isNew(): boolean {
    return this.#made > 0
  }

  #push(component: Buffer, isMade: boolean): void {
    this.#verified.push(Buffer.from(component))
    this.#made = isMade ? this.#made + 1 : 0
  }

  /** As ensureParents, for a path that must exist: nothing is made. */
  parentsAreReal(components: readonly Buffer[]): boolean {
    for (let i = 1; i < components.length; i++) {
      if (!lstatSync(this.pathOf(components.slice(0, i)), { throwIfNoEntry: false })?.isDirectory())
        return false
    }
    return true
  }
}

import { comparePaths } from '@pipe-backup/source'
import type { Inside } from './enter-directory.ts'
import type { FileCalls } from './file-calls.ts'
import type { Tally } from './outcome.ts'

/** A configured path that takes what is at, or in, a place of the walk. Where configured paths nest, several do. */
export interface Claim {
  readonly root: Buffer
  /** Device of the configured path. */
  readonly device: bigint
  /** Path of the place below the configured path, for patterns: empty, or with a `/` at its end; one character for each byte. */
  readonly relative: string
  /** Counts what is taken for it. */
  readonly tally: Tally
}

/** A directory that is being walked. */
export interface Frame extends Inside {
  /** How its file system is called. */
  readonly calls: FileCalls
  /** Which of its names are mount points, and of what type. */
  readonly mounts: ReadonlyMap<string, string> | undefined
}

/** The next place to look at. */
export interface Stop {
  readonly absolute: Buffer
  /** Where in `absolute` the name starts. */
  readonly nameAt: number
  /** Whether this is a configured path. */
  readonly isRoot: boolean
  /** Of the outer configured paths, where the walk came here from one. */
  readonly claims: readonly Claim[]
  /** The directory that it was met in; `undefined` where the walk begins. */
  readonly parent: Frame | undefined
}

const NONE: readonly Claim[] = []

/**
 * Where a walk goes next: into the directories entered last, and to the configured paths, all in the order of
 * comparePaths. A configured path that the walk of an outer one has passed by comes at its place in that order.
 * The names of the directories on the way down are all that is remembered of the tree.
 */
export class Route {
  readonly #roots: readonly Buffer[]
  readonly #onLeave: (frame: Frame) => void
  readonly #frames: { readonly frame: Frame; next: number }[] = []
  #nextRoot = 0

  /**
   * @param roots - absolute, sorted, each once
   * @param onLeave - called for each directory that was entered, when all that is in it has been passed
   */
  constructor(roots: readonly Buffer[], onLeave: (frame: Frame) => void) {
    this.#roots = roots
    this.#onLeave = onLeave
  }

  /** To be called at the stop which is that directory, if at all. */
  enter(frame: Frame): void {
    this.#frames.push({ frame, next: 0 })
  }

  next(): Stop | undefined {
    const root = this.#roots[this.#nextRoot]
    let top = this.#frames.at(-1)
    while (top !== undefined) {
      const { frame, next } = top
      const name = frame.names[next]
      if (name !== undefined) {
        const absolute = join(frame.prefix, name)
        const order = root === undefined ? 1 : comparePaths(root, absolute)
        if (order < 0) break
        top.next++
        if (order === 0) this.#nextRoot++
        return {
          absolute,
          nameAt: frame.prefix.length,
          isRoot: order === 0,
          claims: frame.claims,
          parent: frame,
        }
      }
      this.#frames.pop()
      this.#onLeave(frame)
      top = this.#frames.at(-1)
    }
    if (root === undefined) return undefined
    this.#nextRoot++
    return { absolute: root, nameAt: root.length, isRoot: true, claims: NONE, parent: undefined }
  }
}

function join(prefix: Buffer, name: string): Buffer {
  const path = Buffer.allocUnsafe(prefix.length + name.length)
  path.set(prefix)
  path.write(name, prefix.length, 'latin1')
  return path
}

import type { IsWanted } from '@pipe-backup/vault'
import { type PathPattern, parsePathPattern } from '../find/path-pattern.ts'

/** Directories that are remembered: the entries of one come together. */
const MAX_REMEMBERED = 10_000

interface Verdict {
  readonly isIncluded: boolean
  readonly isExcluded: boolean
}

/**
 * What `--include` and `--exclude` leave of a snapshot: an entry is included, or excluded, with all below it, and excluded is excluded. Without
 * an `--include` all is included.
 * @returns undefined where nothing is left out
 * @throws UsageError for a pattern that can match nothing
 */
export function chooseEntries(
  include: readonly string[] = [],
  exclude: readonly string[] = [],
): EntryChoice | undefined {
  return include.length === 0 && exclude.length === 0 ? undefined : new EntryChoice(include, exclude)
}

/** What of a snapshot is chosen by patterns. */
export class EntryChoice {
  readonly #include: readonly PathPattern[]
  readonly #exclude: readonly PathPattern[]
  readonly #directories = new Map<string, Verdict>()
  /** As they were given. */
  readonly #unmatched: Map<PathPattern, string>

  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#unmatched = new Map(include.map((text) => [parsePathPattern(text), text]))
    this.#include = [...this.#unmatched.keys()]
    this.#exclude = exclude.map(parsePathPattern)
  }

  readonly isWanted: IsWanted = (path, isDirectory) => {
    const text = Buffer.from(path.buffer, path.byteOffset, path.length).toString('latin1')
    const { isIncluded, isExcluded } = this.#verdictOn(text, isDirectory)
    return isIncluded && !isExcluded
  }

  /** The patterns of `include` that have matched nothing that was asked about, be it excluded or not. */
  get unmatched(): readonly string[] {
    return [...this.#unmatched.values()]
  }

  /** @param path - from its source's name on, a character for each byte */
  #verdictOn(path: string, isDirectory: boolean): Verdict {
    const slash = path.lastIndexOf('/')
    // A source is no entry, and no pattern means it alone.
    if (slash < 0) return { isIncluded: this.#include.length === 0, isExcluded: false }
    const above = this.#ofDirectory(path.slice(0, slash))
    const first = path.indexOf('/')
    const source = Buffer.from(path.slice(0, first), 'latin1').toString()
    const within = Buffer.from(path.slice(first + 1), 'latin1')
    const matches = (pattern: PathPattern): boolean =>
      pattern.wantsSource(source) && pattern.matches(within, isDirectory)
    const including = this.#include.filter(matches)
    for (const pattern of including) this.#unmatched.delete(pattern)
    return {
      isIncluded: above.isIncluded || including.length > 0,
      isExcluded: above.isExcluded || this.#exclude.some(matches),
    }
  }

  #ofDirectory(path: string): Verdict {
    const known = this.#directories.get(path)
    if (known) return known
    const verdict = this.#verdictOn(path, true)
    if (this.#directories.size >= MAX_REMEMBERED) this.#directories.clear()
    this.#directories.set(path, verdict)
    return verdict
  }
}

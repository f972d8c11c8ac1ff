import type { Entry } from './entry.ts'
import type { SourceProblem } from './problem.ts'

/** How a source is to be read, this time. */
export interface ReadContext {
  readonly signal?: AbortSignal | undefined
  /**
   * Called with each entry that could not be taken, and of what was left out on purpose; the rest goes on.
   * Without it, such a problem is thrown as a SourceError.
   */
  readonly onProblem?: ((problem: SourceProblem) => void) | undefined
}

/** A named origin of entries. May be read several times, unless it says `once`; each reading walks again. */
export interface Source {
  /** From the configuration; the first component of every path that a user sees. */
  readonly name: string
  /** How often the tree may be read again, at most, until nothing changed meanwhile. Default 0. */
  readonly settle?: number | undefined
  /** It can be read a single time, as what is piped in. */
  readonly once?: boolean | undefined
  /** Says what it reads, in a few characters: an earlier reading of something else is none of its own. */
  readonly readAs?: string | undefined
  /**
   * Yields the entries in walk order: sorted by the bytes of their paths, component by component
   * (compare as bytes with `/` below every other), a directory before what is in it. See `comparePaths`.
   * @throws SourceError when the source as a whole can't be read
   */
  entries(context?: ReadContext): AsyncIterable<Entry>
}

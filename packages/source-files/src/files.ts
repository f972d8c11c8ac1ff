import type { Entry, ReadContext } from '@pipe-backup/source'
import { toRoots } from './roots.ts'
import { walk } from './walk.ts'

/** What to take and how to tell of the rest. */
export interface FilesOptions extends ReadContext {
  /**
   * Patterns in the syntax of `.gitignore`, matched byte by byte against the path below each configured path.
   * A directory that matches is not entered. A configured path itself is never excluded. Default none.
   * @see https://git-scm.com/docs/gitignore
   */
  readonly exclude?: readonly string[]
  /**
   * Leave out what is in a directory with a valid `CACHEDIR.TAG`; the directory and its tag stay. A tag in a
   * configured path itself counts for nothing: that path was asked for by name. Default true.
   * @see https://bford.info/cachedir/
   */
  readonly excludeCaches?: boolean
  /** Don't enter a directory on another device than its configured path; the directory itself stays. Default false. */
  readonly oneFileSystem?: boolean
}

/**
 * Walks directory trees and single files as one sorted sequence of entries. Each iteration walks anew.
 * Entry paths are absolute, without the leading `/`. Several paths are merged; what several of them hold comes once.
 * @param paths - files or directories, absolute or relative to the working directory of this call; `~` is not expanded.
 * One that is a symbolic link is taken as a link, and what it leads to is taken too, under its own path.
 * @throws TypeError at once, for a path that is empty or holds a NUL.
 * @throws SourceError while iterating: when none of the paths is there (`vanished`, `unreadable`); and what `onProblem`
 * would be told of, where there is none: `vanished`, `unreadable`, `changed`, `skipped`.
 */
export function files(paths: readonly string[], options: FilesOptions = {}): AsyncIterable<Entry> {
  const roots = toRoots(paths)
  return { [Symbol.asyncIterator]: () => walk(roots, options) }
}

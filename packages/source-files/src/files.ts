import type { Entry, ReadContext } from '@pipe-backup/source'
import { toRoots } from './roots.ts'
import { walk } from './walk.ts'

/** What to take and how to report the rest. */
export interface FilesOptions extends ReadContext {
  /**
   * Patterns in the syntax of `.gitignore`, matched byte by byte against the path below each configured path; one that
   * begins with a configured path itself is matched against the whole path.
   * A directory that matches is not entered. A configured path itself is never excluded. Default none.
   * @see https://git-scm.com/docs/gitignore
   */
  readonly exclude?: readonly string[] | undefined
  /**
   * Leave out what is in a directory with a valid `CACHEDIR.TAG`; the directory and its tag stay. A tag in a
   * configured path itself counts for nothing: that path was asked for by name. Default true.
   * @see https://bford.info/cachedir/
   */
  readonly excludeCaches?: boolean | undefined
  /** Don't enter a directory on another device than its configured path; the directory itself stays. Default false. */
  readonly oneFileSystem?: boolean | undefined
  /** Directories of which nothing is taken, wherever they are met: recognised by device and inode, also through links and mounts. */
  readonly leaveOut?: readonly LeftOutDirectory[] | undefined
  /**
   * How long a mount point in what was asked for may take to answer, in milliseconds, before it is reported and passed by: that of a
   * server, or a program, that is gone. Default 60 s. A configured path itself is waited for until `signal` fires.
   */
  readonly answerMs?: number | undefined
  /** Called with what nobody needs to act on, but may want to know. */
  readonly onNote?: ((note: FilesNote) => void) | undefined
}

export interface LeftOutDirectory {
  readonly path: string
  /** As in "it is …". */
  readonly what: string
}

/**
 * - `left-out`: a directory of `leaveOut`;
 * - `cache`: what is in a directory with a CACHEDIR.TAG;
 * - `unmatched`: a pattern that has left nothing out;
 * - `shrunk`: far less was there than the last time.
 */
export interface FilesNote {
  readonly kind: 'left-out' | 'cache' | 'unmatched' | 'shrunk'
  /** As it can be shown; of a pattern the pattern, of the whole source empty. */
  readonly path: string
  /** One line, without the path. */
  readonly message: string
  /** It was so the last time as well, as far as that is remembered. */
  readonly isKnown?: boolean | undefined
}

/**
 * Walks directory trees and single files as one sorted sequence of entries. Each iteration walks again.
 * Entry paths are absolute, without the leading `/`. Several paths are merged; what several of them hold comes once.
 * @param paths - files or directories, absolute or relative to the working directory of this call; `~` is not expanded.
 * One that is a symbolic link is taken as a link, and what it leads to is taken too, under its own path.
 * @throws TypeError at once, for a path that is empty or holds a NUL.
 * @throws SourceError while iterating: when none of the paths is there (`vanished`, `unreadable`); and what `onProblem`
 * would be reported, where there is none: `vanished`, `unreadable`, `changed`, `skipped`.
 */
export function files(paths: readonly string[], options: FilesOptions = {}): AsyncIterable<Entry> {
  const roots = toRoots(paths)
  return { [Symbol.asyncIterator]: () => walk(roots, options) }
}

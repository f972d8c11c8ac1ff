import type { ReadContext, Source } from '@pipe-backup/source'
import type { FilesOptions } from './files.ts'
import type { FilesMemory } from './memory.ts'
import { toRoots } from './roots.ts'
import { walk } from './walk.ts'

export interface FilesSourceOptions extends Omit<FilesOptions, keyof ReadContext> {
  /** From the configuration; the first component of every path that a user sees. */
  readonly name: string
  /** Files or directories, as for `files()`. */
  readonly paths: readonly string[]
  /** How often the tree may be read again, at most, until nothing changed meanwhile. Default 0. */
  readonly settle?: number | undefined
  /**
   * What an earlier walk has seen. With it, a configured path that had entries and is now empty, or was a mount point and is none now, is
   * a problem (`vanished`): its disk may only not be mounted.
   */
  readonly memory?: FilesMemory | undefined
  /** That is no problem, and what is there now is remembered. Default false. */
  readonly allowEmpty?: boolean | undefined
}

/**
 * `files()` as a named source.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export function filesSource(options: FilesSourceOptions): Source {
  const { name, paths, settle = 0, memory, allowEmpty = false, ...rest } = options
  const roots = toRoots(paths)
  return {
    name,
    settle,
    entries: (context) => walk(roots, { ...rest, ...context }, { memory, allowEmpty }),
  }
}

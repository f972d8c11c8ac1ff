import { lstat, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { comparePaths } from '@pipe-backup/source'
import { within } from './file-calls.ts'

/**
 * Configured paths as absolute bytes, sorted as a walk meets them, each once. Nested ones stay: should the walk of
 * the outer path leave them out (a pattern, another file system, a cache), they are still taken, as asked for by name.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export function toRoots(paths: readonly string[]): Buffer[] {
  return sortedOnce(paths.map(toRoot))
}

/** Configured paths, and what is known of them before the walk. */
export interface Roots {
  /** With what links among them lead to; sorted, each once. */
  readonly all: readonly Buffer[]
  /** The same, and what each is without links on the way to it. */
  readonly resolved: readonly ConfiguredPath[]
  /** Which links lead to one of them; all with one character for each byte. */
  readonly aliases: ReadonlyMap<string, readonly string[]>
}

/** A configured path, and what it is without links on the way to it. */
export interface ConfiguredPath {
  readonly root: Buffer
  readonly real: Buffer
}

/**
 * A configured path that is a symbolic link is taken as a link, and so is what it leads to, under its own path: whoever
 * named the link meant the tree, and would find out at a restore. One that leads nowhere is reported by the walk.
 * @throws the signal's reason, also while a file system does not answer
 */
export async function resolveRoots(
  configured: readonly Buffer[],
  signal: AbortSignal | undefined,
): Promise<Roots> {
  const aliases = new Map<string, string[]>()
  const targets: Buffer[] = []
  for (const root of configured) {
    try {
      if (!(await within(signal, () => lstat(root))).isSymbolicLink()) continue
      const target = await realPath(root, signal)
      targets.push(target)
      const key = target.toString('latin1')
      aliases.set(key, [...(aliases.get(key) ?? []), root.toString('latin1')])
    } catch {
      // It is looked at again when the walk comes there.
      signal?.throwIfAborted()
    }
  }
  const all = sortedOnce([...configured, ...targets])
  const resolved: ConfiguredPath[] = []
  for (const root of all) resolved.push({ root, real: await withRealParent(root, signal) })
  return { all, resolved, aliases }
}

/** @throws system errors, and the signal's reason */
export async function realPath(path: Buffer, signal: AbortSignal | undefined): Promise<Buffer> {
  return await within(signal, () => realpath(path, { encoding: 'buffer' }))
}

/** Of itself nothing is asked: a mount point would ask whatever is mounted there. */
async function withRealParent(path: Buffer, signal: AbortSignal | undefined): Promise<Buffer> {
  const parent = parentOf(path)
  if (parent.length === path.length) return path
  try {
    const real = await realPath(parent, signal)
    return Buffer.concat([real, path.subarray(parent.length === 1 ? 0 : parent.length)])
  } catch {
    signal?.throwIfAborted()
    return path
  }
}

/** Of an absolute path; `/` is its own. */
export function parentOf(path: Buffer): Buffer {
  return path.subarray(0, Math.max(1, path.lastIndexOf(0x2f)))
}

function sortedOnce(roots: readonly Buffer[]): Buffer[] {
  const sorted = [...roots].sort(comparePaths)
  return sorted.filter((root, at) => at === 0 || !root.equals(sorted[at - 1] ?? root))
}

function toRoot(path: string): Buffer {
  // An empty path would resolve to the working directory: surely not what was meant.
  if (path === '') throw new TypeError('a path to back up is empty: name a file or directory')
  if (path.includes('\0')) throw new TypeError(`${JSON.stringify(path)} holds a NUL: no file has such a path`)
  return Buffer.from(resolve(path))
}

/** Whether `path` is `directory` or lies below it. Both absolute. */
export function isWithin(path: Buffer, directory: Buffer): boolean {
  const end = directory.length === 1 ? 0 : directory.length
  if (path.length === directory.length) return path.equals(directory)
  return path[end] === 0x2f && path.subarray(0, end).equals(directory.subarray(0, end))
}

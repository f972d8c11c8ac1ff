import { lstatSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { comparePaths } from '@pipe-backup/source'

/**
 * Configured paths as absolute bytes, sorted as a walk meets them, each once. Nested ones stay: should the walk of
 * the outer path leave them out (a pattern, another file system, a cache), they are still taken, as asked for by name.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export function toRoots(paths: readonly string[]): Buffer[] {
  return sortedOnce(paths.map(toRoot))
}

/**
 * A configured path that is a symbolic link is taken as a link, and so is what it leads to, under its own path: whoever
 * named the link meant the tree, and would find out at a restore. One that leads nowhere is told of by the walk.
 * @returns configured paths and what links among them lead to, sorted, each once
 */
export function withLinkTargets(roots: readonly Buffer[]): Buffer[] {
  const targets: Buffer[] = []
  for (const root of roots) {
    try {
      if (lstatSync(root).isSymbolicLink()) targets.push(realPath(root))
    } catch {
      // It is looked at again when the walk comes there.
    }
  }
  return targets.length === 0 ? [...roots] : sortedOnce([...roots, ...targets])
}

/** @throws system errors */
export function realPath(path: Buffer): Buffer {
  return realpathSync.native(path, { encoding: 'buffer' })
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

import { comparePaths } from '@pipe-backup/source'
import type { ManifestEntry } from '../format/manifest-node.ts'
import {
  checkLevels,
  isBelow,
  MAX_LEVELS,
  mayHold,
  openNode,
  type PathRange,
  type ReadsChunks,
} from './walk-manifest.ts'

const SLASH = 0x2f

/** What is directly in a directory. */
export interface Child<Of> {
  readonly name: Uint8Array
  /** `undefined` for a directory of which the snapshot has only what is in it. */
  readonly entry: Of | undefined
}

/**
 * What is directly in a directory, in the order of names. Nodes of the manifest that hold nothing but what is further below are not read:
 * what a list costs depends on its length, not on the size of the trees in it.
 * @param directory - within the source; empty for the source itself
 * @param from - the first name to be given, or what it begins with
 */
export async function* walkChildren(
  chunks: ReadsChunks,
  root: Uint8Array,
  directory: Uint8Array,
  from: Uint8Array | undefined,
): AsyncGenerator<Child<ManifestEntry>> {
  const prefix = directory.length === 0 ? directory : Buffer.concat([directory, Buffer.of(SLASH)])
  const start = from && Buffer.concat([prefix, from])
  let last: Uint8Array | undefined
  yield* walk(root, MAX_LEVELS, {})

  async function* walk(
    id: Uint8Array,
    levels: number,
    range: PathRange,
  ): AsyncGenerator<Child<ManifestEntry>> {
    checkLevels(levels)
    const node = openNode(await chunks.read(id), range)
    if (node.type === 'leaf') {
      for (const entry of node.entries) {
        const child = childOf(entry)
        if (child) yield child
      }
      return
    }
    for (const [i, child] of node.children.entries()) {
      const next = node.children[i + 1]?.firstPath ?? range.next
      if (mayHaveChildren(child.firstPath, next))
        yield* walk(child.id, levels - 1, { first: child.firstPath, next })
    }
  }

  /** Whether a node of the paths in [first, next) may hold something that was not given yet. */
  function mayHaveChildren(first: Uint8Array, next: Uint8Array | undefined): boolean {
    if (directory.length > 0 && !mayHold(directory, first, next)) return false
    if (next === undefined) return true
    if (start && comparePaths(next, start) <= 0) return false
    return !(last && isBelow(first, last) && isBelow(next, last))
  }

  function childOf(entry: ManifestEntry): Child<ManifestEntry> | undefined {
    const { path } = entry
    if (path.length <= prefix.length || Buffer.compare(path.subarray(0, prefix.length), prefix) !== 0)
      return undefined
    if (last && isBelow(path, last)) return undefined
    if (start && comparePaths(path, start) < 0) return undefined
    const slash = path.indexOf(SLASH, prefix.length)
    const end = slash < 0 ? path.length : slash
    last = path.subarray(0, end)
    return { name: path.subarray(prefix.length, end), entry: slash < 0 ? entry : undefined }
  }
}

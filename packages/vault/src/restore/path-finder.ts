import { comparePaths } from '@pipe-backup/source'
import type { ManifestEntry } from '../format/manifest-node.ts'
import {
  checkLevels,
  isBelow,
  MAX_LEVELS,
  openNode,
  type PathRange,
  type ReadsChunks,
} from './walk-manifest.ts'

const SLASH = 0x2f

/** What a manifest has at a path: an entry, `inferred` for a directory of which it has only what is in it, or nothing. */
export type AtPath = ManifestEntry | 'inferred' | undefined

/** Finds one path in many manifests: a node that several have is read once. What is kept of each node is what it has at the path. */
export class PathFinder {
  readonly #chunks: ReadsChunks
  readonly #path: Uint8Array
  /** By the nodes' ids; a failure is kept, too. */
  readonly #known = new Map<string, Promise<AtPath>>()
  #nearestBytes = 0

  /** @param path - within the source; not empty */
  constructor(chunks: ReadsChunks, path: Uint8Array) {
    this.#chunks = chunks
    this.#path = path
  }

  /** The longest beginning of the path, in whole names, that any manifest asked until now has; empty for none. */
  get nearest(): Uint8Array {
    return this.#path.subarray(0, this.#nearestBytes)
  }

  /** @param root - of a manifest @throws VaultError `missing`, `unanswered`, `corrupt` */
  in(root: Uint8Array): Promise<AtPath> {
    return this.#inNode(root, MAX_LEVELS, {})
  }

  #inNode(id: Uint8Array, levels: number, range: PathRange): Promise<AtPath> {
    const name = Buffer.from(id).toString('latin1')
    const known = this.#known.get(name)
    if (known) return known
    const found = this.#read(id, levels, range)
    this.#known.set(name, found)
    return found
  }

  async #read(id: Uint8Array, levels: number, range: PathRange): Promise<AtPath> {
    checkLevels(levels)
    const node = openNode(await this.#chunks.read(id), range)
    const paths =
      node.type === 'leaf'
        ? node.entries.map(({ path }) => path)
        : node.children.map((child) => child.firstPath)
    for (const path of paths) this.#nearestBytes = Math.max(this.#nearestBytes, sharedBytes(path, this.#path))
    const after = paths.findIndex((path) => comparePaths(path, this.#path) > 0)
    const last = (after < 0 ? paths.length : after) - 1
    const following = paths[last + 1]
    const isInferred = following !== undefined && isBelow(following, this.#path)
    if (node.type === 'leaf') {
      const entry = node.entries[last]
      if (entry && comparePaths(entry.path, this.#path) === 0) return entry
      return isInferred ? 'inferred' : undefined
    }
    const child = node.children[last]
    const next = following ?? range.next
    const found = child && (await this.#inNode(child.id, levels - 1, { first: child.firstPath, next }))
    return found ?? (isInferred ? 'inferred' : undefined)
  }
}

/** How many bytes two paths have in common, in whole names. */
function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  let shared = 0
  for (let i = 0; ; i++) {
    const isEndOfBoth = (i === a.length || a[i] === SLASH) && (i === b.length || b[i] === SLASH)
    if (isEndOfBoth) shared = i
    if (i >= a.length || i >= b.length || a[i] !== b[i]) return shared
  }
}

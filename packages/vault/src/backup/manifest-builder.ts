import { comparePaths } from '@pipe-backup/source'
import { ChunkKind } from '../format/chunk-codec.ts'
import {
  encodeBranch,
  encodeExtentBranch,
  encodeExtentLeaf,
  LeafWriter,
} from '../format/encode-manifest-node.ts'
import { Extents } from '../format/extents.ts'
import {
  type BranchChild,
  type ExtentChild,
  MAX_PATHS_BYTES,
  type ManifestEntry,
} from '../format/manifest-node.ts'
import { packUses } from './chunk-uses.ts'
import type { KnownLeaf } from './known-leaves.ts'

/** More extents than this go into a tree of their own. */
const INLINE_EXTENTS = 256
/** Cuts depend on paths and ids alone, so that a change stays in the nodes around it. Means, and bounds for the unlucky. */
const LEAF = { mask: 127, least: 16, most: 2048, maxBytes: 512 * 1024 }
const BRANCH = { mask: 127, least: 16, most: 1024, maxBytes: 512 * 1024 }
const EXTENT_LEAF = { mask: 511, least: 64, most: 4096 }

/** A leaf that ended where it always will, whatever follows. */
export interface EndedLeaf {
  readonly id: Uint8Array
  /** The chunks that it uses, as a KnownLeaf has them; undefined where a file of it has a tree of extents. */
  readonly uses: Buffer | undefined
}

/** Whether a leaf of so many entries ends with one of this path, however large it is. */
export function isLeafEnd(count: number, pathHash: number): boolean {
  return count >= LEAF.most || (count >= LEAF.least && (pathHash & LEAF.mask) === 0)
}

/** Turns entries in order into the nodes of a manifest. Memory: one leaf, and about a hundred bytes for each leaf before it. */
export class ManifestBuilder {
  readonly #store: (node: Buffer, kind: ChunkKind) => Uint8Array
  readonly #leaf = new LeafWriter()
  readonly #leaves: BranchChild[] = []
  #hasTree = false
  #firstPath: Uint8Array | undefined
  #lastPath: Uint8Array | undefined

  /** @param store - stores a node, and returns its id */
  constructor(store: (node: Buffer, kind: ChunkKind) => Uint8Array) {
    this.#store = store
  }

  /** @param pathHash - any 32 bits that depend on the path alone @returns the leaf that this entry has ended */
  add(entry: ManifestEntry, pathHash: number): EndedLeaf | undefined {
    this.#requireOrder(entry.path)
    this.#lastPath = entry.path
    this.#firstPath ??= entry.path
    this.#leaf.add(this.#withTree(entry))
    const { count, bytes, pathsBytes } = this.#leaf
    const full = bytes >= LEAF.maxBytes || pathsBytes >= MAX_PATHS_BYTES / 2
    if (!full && !isLeafEnd(count, pathHash)) return undefined
    const uses = this.#hasTree ? undefined : packUses(this.#leaf.uses())
    return { id: this.#endLeaf(), uses }
  }

  /** Adds a whole leaf that is stored already. @returns whether the one that was being built had to end before it */
  addLeaf({ id, firstPath, lastPath }: KnownLeaf): boolean {
    this.#requireOrder(firstPath)
    const isBetween = this.#leaf.count > 0
    if (isBetween) this.#endLeaf()
    this.#lastPath = lastPath
    this.#leaves.push({ firstPath, id })
    return isBetween
  }

  #requireOrder(path: Uint8Array): void {
    if (this.#lastPath && comparePaths(this.#lastPath, path) >= 0)
      throw new Error(`a source yielded ${Buffer.from(path).toString()} out of order`)
  }

  /** Stores what is left, and the levels above. @returns the root's id */
  finish(): Uint8Array {
    if (this.#leaf.count > 0 || this.#leaves.length === 0) this.#endLeaf()
    let level = this.#leaves
    while (level.length > 1) {
      const above: BranchChild[] = []
      for (const group of groups(level, ({ firstPath }) => firstPath.length)) {
        const id = this.#store(encodeBranch(group), ChunkKind.manifestNode)
        above.push({ firstPath: group[0]?.firstPath ?? new Uint8Array(), id })
      }
      level = above
    }
    const root = level[0]
    if (!root) throw new Error('a manifest has no root')
    return root.id
  }

  #endLeaf(): Uint8Array {
    const id = this.#store(this.#leaf.take(), ChunkKind.manifestNode)
    this.#leaves.push({ firstPath: this.#firstPath ?? new Uint8Array(), id })
    this.#firstPath = undefined
    this.#hasTree = false
    return id
  }

  #withTree(entry: ManifestEntry): ManifestEntry {
    if (
      entry.type !== 'file' ||
      !('extents' in entry.content) ||
      entry.content.extents.count <= INLINE_EXTENTS
    )
      return entry
    this.#hasTree = true
    return { ...entry, content: { treeRoot: this.#storeExtents(entry.content.extents) } }
  }

  #storeExtents(all: Extents): Uint8Array {
    let level: ExtentChild[] = []
    let leaf = new Extents()
    let bytes = 0
    const end = () => {
      level.push({ bytes, id: this.#store(encodeExtentLeaf(leaf), ChunkKind.extentNode) })
      leaf = new Extents()
      bytes = 0
    }
    for (let i = 0; i < all.count; i++) {
      const id = all.id(i)
      leaf.add(id, all.offset(i), all.length(i))
      bytes += all.length(i)
      if (
        leaf.count >= EXTENT_LEAF.most ||
        (leaf.count >= EXTENT_LEAF.least && (hashOf(id) & EXTENT_LEAF.mask) === 0)
      )
        end()
    }
    if (leaf.count > 0) end()
    while (level.length > 1) {
      const above: ExtentChild[] = []
      for (const group of groups(level, () => 0)) {
        const covered = group.reduce((sum, child) => sum + child.bytes, 0)
        above.push({ bytes: covered, id: this.#store(encodeExtentBranch(group), ChunkKind.extentNode) })
      }
      level = above
    }
    return level[0]?.id ?? new Uint8Array()
  }
}

function hashOf(id: Uint8Array): number {
  return ((id[4] ?? 0) << 8) | (id[5] ?? 0)
}

/** The children of each branch. @param extraBytes - what a child takes beside its id */
function* groups<T extends { readonly id: Uint8Array }>(
  children: readonly T[],
  extraBytes: (child: T) => number,
): Generator<T[]> {
  let group: T[] = []
  let bytes = 0
  for (const child of children) {
    group.push(child)
    bytes += child.id.length + extraBytes(child)
    const full = group.length >= BRANCH.most || bytes >= BRANCH.maxBytes
    if (full || (group.length >= BRANCH.least && (hashOf(child.id) & BRANCH.mask) === 0)) {
      yield group
      group = []
      bytes = 0
    }
  }
  if (group.length > 0) yield group
}

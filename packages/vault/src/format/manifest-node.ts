import type { Entry } from '@pipe-backup/source'
import { Extents } from './extents.ts'

/** The first byte of a node (docs/format.md section 8). */
export const NodeType = { leaf: 1, branch: 2, extentLeaf: 3, extentBranch: 4 } as const

export const ENTRY_TYPES = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'fifo',
  'character-device',
  'block-device',
] as const
export const ENTRY_TYPE_NUMBERS: ReadonlyMap<string, number> = new Map<string, number>(
  ENTRY_TYPES.map((type, number) => [type, number]),
)

export const FLAG_SPARSE = 1
export const FLAG_UNSTEADY = 2
export const FLAG_EXTENT_TREE = 4
export const BILLION = 1_000_000_000n
/** What the manifest's numbers hold, either way: 140 million years. tmpfs and ZFS have times beyond. */
export const MAX_SECONDS: bigint = 2n ** 52n - 1n

/** Of the paths of a leaf, all together, as they are in memory: what entries share is stored once. */
export const MAX_PATHS_BYTES: number = 64 * 1024 * 1024

/** Where a file's bytes are: its extents, or the root node of a tree of them. */
export type Content = { readonly extents: Extents } | { readonly treeRoot: Uint8Array }

/** An entry as a manifest has it: a file's bytes are elsewhere. */
export type ManifestEntry =
  | Exclude<Entry, { type: 'file' }>
  | (Omit<Extract<Entry, { type: 'file' }>, 'open' | 'identity' | 'size'> & {
      readonly size: number
      readonly content: Content
    })

/** A child of a branch: the node, and the first path below it. */
export interface BranchChild {
  readonly firstPath: Uint8Array
  readonly id: Uint8Array
}

/** A child of an extent branch. */
export interface ExtentChild {
  readonly bytes: number
  readonly id: Uint8Array
}

export type ManifestNode =
  | { readonly type: 'leaf'; readonly entries: readonly ManifestEntry[] }
  | { readonly type: 'branch'; readonly children: readonly BranchChild[] }

export type ExtentNode =
  | { readonly type: 'leaf'; readonly extents: Extents }
  | { readonly type: 'branch'; readonly children: readonly ExtentChild[] }

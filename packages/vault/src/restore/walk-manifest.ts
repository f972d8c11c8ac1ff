import { comparePaths } from '@pipe-backup/source'
import { decodeExtentNode, decodeManifestNode } from '../format/decode-manifest-node.ts'
import type { Extents } from '../format/extents.ts'
import { type Content, type ManifestEntry, type ManifestNode } from '../format/manifest-node.ts'
import { mapAhead } from '../map-ahead.ts'
import { VaultError } from '../vault-error.ts'
import { NODES_AHEAD } from './nodes-ahead.ts'

const SLASH = 0x2f

/** Gives a chunk's plain bytes. */
export interface ReadsChunks {
  read(id: Uint8Array): Promise<Uint8Array>
}

/** Whether a path is `selected` itself or below it. */
export function isBelow(path: Uint8Array, selected: Uint8Array): boolean {
  if (path.length < selected.length) return false
  if (Buffer.compare(path.subarray(0, selected.length), selected) !== 0) return false
  return path.length === selected.length || path[selected.length] === SLASH
}

/** Whether anything at or below `selected` can stand in [first, next). */
export function mayHold(selected: Uint8Array, first: Uint8Array, next: Uint8Array | undefined): boolean {
  if (next && comparePaths(selected, next) >= 0) return false
  return comparePaths(selected, first) >= 0 || isBelow(first, selected)
}

/** Every level but the last has at least two nodes to each of the one above: more levels than this hold nothing real. */
export const MAX_LEVELS = 64

/** What a node's paths must be within: those of its siblings are outside. The root has no bounds. */
export interface PathRange {
  /** Its first one. */
  readonly first?: Uint8Array | undefined
  /** After its last one. */
  readonly next?: Uint8Array | undefined
}

/**
 * Reads a node of a manifest. That its paths are where its parent says bounds the walk: no node can be in two places, so that a few
 * could stand for more entries than anybody can read.
 * @throws VaultError `corrupt`
 */
export function openNode(bytes: Uint8Array, { first, next }: PathRange): ManifestNode {
  const node = decodeManifestNode(bytes)
  const paths =
    node.type === 'leaf'
      ? node.entries.map(({ path }) => path)
      : node.children.map((child) => child.firstPath)
  const last = paths.at(-1)
  const isFirst = first === undefined || (paths[0] !== undefined && comparePaths(paths[0], first) === 0)
  const isBefore = next === undefined || last === undefined || comparePaths(last, next) < 0
  if (isFirst && isBefore) return node
  throw new VaultError('corrupt', 'a manifest has a node whose paths are not where it is')
}

/**
 * The entries of a manifest in order, reading only the nodes that may hold what is wanted.
 * @param below - paths within the source; undefined for all
 */
export async function* walkManifest(
  chunks: ReadsChunks,
  id: Uint8Array,
  below: readonly Uint8Array[] | undefined,
): AsyncGenerator<ManifestEntry> {
  for await (const entries of walkLeaves(chunks, id, below)) yield* entries
}

/** As walkManifest, leaf by leaf; the next nodes are on their way meanwhile. */
export async function* walkLeaves(
  chunks: ReadsChunks,
  id: Uint8Array,
  below: readonly Uint8Array[] | undefined,
): AsyncGenerator<readonly ManifestEntry[]> {
  yield* leavesOf(chunks, await chunks.read(id), below, MAX_LEVELS, {})
}

async function* leavesOf(
  chunks: ReadsChunks,
  bytes: Uint8Array,
  below: readonly Uint8Array[] | undefined,
  levels: number,
  range: PathRange,
): AsyncGenerator<readonly ManifestEntry[]> {
  checkLevels(levels)
  const node = openNode(bytes, range)
  if (node.type === 'leaf') {
    yield below
      ? node.entries.filter(({ path }) => below.some((selected) => isBelow(path, selected)))
      : node.entries
    return
  }
  const children = node.children.map(({ firstPath: first, id }, i) => ({
    id,
    first,
    next: node.children[i + 1]?.firstPath ?? range.next,
  }))
  const wanted = children.filter(
    ({ first, next }) => !below || below.some((selected) => mayHold(selected, first, next)),
  )
  const read = async (child: (typeof wanted)[number]) => ({ child, bytes: await chunks.read(child.id) })
  for await (const { child, bytes } of mapAhead(wanted, read, { atOnce: NODES_AHEAD }))
    yield* leavesOf(chunks, bytes, below, levels - 1, child)
}

/** The extents of a file in order, in batches. */
export async function* walkExtents(chunks: ReadsChunks, content: Content): AsyncGenerator<Extents> {
  if ('extents' in content) yield content.extents
  else yield* walkExtentTree(chunks, content.treeRoot)
}

async function* walkExtentTree(
  chunks: ReadsChunks,
  id: Uint8Array,
  levels: number = MAX_LEVELS,
): AsyncGenerator<Extents> {
  checkLevels(levels)
  const node = decodeExtentNode(await chunks.read(id))
  if (node.type === 'leaf') yield node.extents
  else for (const child of node.children) yield* walkExtentTree(chunks, child.id, levels - 1)
}

export function checkLevels(left: number): void {
  if (left === 0) throw new VaultError('corrupt', 'a manifest has more levels than any can have')
}

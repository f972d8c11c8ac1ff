import { comparePaths } from '@pipe-backup/source'
import { type ManifestEntry } from '../format/manifest-node.ts'
import { Heap } from './heap.ts'
import { NODES_AHEAD, NodesAhead } from './nodes-ahead.ts'
import {
  checkLevels,
  MAX_LEVELS,
  mayHold,
  openNode,
  type PathRange,
  type ReadsChunks,
} from './walk-manifest.ts'

/** What is at one path in several manifests. */
export interface MergedPath {
  readonly path: Uint8Array
  /** Each manifest that has an entry there is in one of these, by its number. */
  readonly found: readonly { readonly entry: ManifestEntry; readonly manifests: readonly number[] }[]
}

export interface MergeOptions {
  /** Read only what may hold this path or anything below it. */
  readonly below?: Uint8Array | undefined
  /** Whether an entry is wanted: of others nothing is held. Default all. */
  readonly matches?: ((path: Uint8Array, isDirectory: boolean) => boolean) | undefined
  /** Leave out what all the manifests have in one and the same node: it is not read. */
  readonly skipShared?: boolean | undefined
  /** Called for a node that can't be read, and the manifests it is missing from; without this the merge ends with the error. */
  readonly onUnreadable?: ((error: unknown, manifests: readonly number[]) => void) | undefined
}

type Item = { readonly path: Uint8Array } & (
  | { readonly id: Uint8Array; readonly next: Uint8Array | undefined }
  | { readonly id?: undefined; readonly entry: ManifestEntry }
)

/** A node that has been read, and how far the merge has come in it. */
interface Cursor {
  readonly items: readonly Item[]
  at: number
  readonly manifests: readonly number[]
  /** Levels that its children may still have. */
  readonly levels: number
}

/**
 * The entries of several manifests in the order of their paths. A node that several of them have at the same place is read once for all,
 * and what is held at a time is a path of nodes for each that differs, never a manifest.
 * @param roots - `undefined` for a manifest without entries
 */
export async function* mergeManifests(
  chunks: ReadsChunks,
  roots: readonly (Uint8Array | undefined)[],
  options: MergeOptions = {},
): AsyncGenerator<MergedPath> {
  const { below, matches, skipShared = false, onUnreadable } = options
  const heap = new Heap<{ readonly cursor: Cursor; readonly item: Item }>((a, b) =>
    compareItems(a.item, b.item),
  )
  const ahead = new NodesAhead(chunks)
  const isWanted = (item: Item): boolean =>
    item.id === undefined || !below || mayHold(below, item.path, item.next)
  const push = (cursor: Cursor): void => {
    for (;;) {
      const item = cursor.items[cursor.at++]
      if (!item) return
      if (!isWanted(item)) continue
      heap.push({ cursor, item })
      // Which nodes all the manifests share, and are not read then, is not known yet.
      if (item.id && !skipShared) expect(cursor)
      return
    }
  }
  const expect = ({ items, at }: Cursor): void => {
    for (const item of items.slice(at - 1, at - 1 + NODES_AHEAD))
      if (item.id && isWanted(item)) ahead.expect(item.id)
  }
  const read = async ({ id, levels, range }: Shared): Promise<readonly Item[]> => {
    checkLevels(levels)
    return itemsOf(await ahead.read(id), range, matches)
  }
  /** Several at once, as each may be a request to a sink far away; what they hold comes in order. */
  const open = async (nodes: SharedNodes): Promise<void> => {
    const wanted = nodes.all().filter(({ manifests }) => !skipShared || manifests.length < roots.length)
    for (let from = 0; from < wanted.length; from += NODES_AHEAD) {
      const some = wanted.slice(from, from + NODES_AHEAD)
      const outcomes = await Promise.allSettled(some.map(read))
      for (const [i, { manifests, levels }] of some.entries()) {
        const outcome = outcomes[i]
        if (outcome?.status === 'fulfilled')
          push({ items: outcome.value, at: 0, manifests, levels: levels - 1 })
        else if (onUnreadable) onUnreadable(outcome?.reason, manifests)
        else throw outcome?.reason
      }
    }
  }

  const first = new SharedNodes()
  for (const [manifest, root] of roots.entries()) if (root) first.add(root, [manifest], MAX_LEVELS, {})
  await open(first)

  for (let least = heap.least; least; least = heap.least) {
    const { path } = least.item
    const nodes = new SharedNodes()
    const found: { entry: ManifestEntry; manifests: readonly number[] }[] = []
    // All the nodes that begin here, before any entry: an entry of the same path may be in them.
    const wantsNodes = least.item.id !== undefined
    for (let next = heap.least; next && isAt(next.item, path, wantsNodes); next = heap.least) {
      heap.pop()
      const { cursor, item } = next
      if (item.id) nodes.add(item.id, cursor.manifests, cursor.levels, { first: path, next: item.next })
      else found.push({ entry: item.entry, manifests: cursor.manifests })
      push(cursor)
    }
    await open(nodes)
    if (found.length > 0) yield { path, found }
  }
}

interface Shared {
  readonly id: Uint8Array
  readonly manifests: readonly number[]
  readonly levels: number
  readonly range: PathRange
}

/** Nodes by their ids, each with all the manifests that have it. */
class SharedNodes {
  readonly #nodes = new Map<
    string,
    { readonly id: Uint8Array; readonly manifests: Set<number>; levels: number; range: PathRange }
  >()

  add(id: Uint8Array, manifests: readonly number[], levels: number, range: PathRange): void {
    const name = Buffer.from(id).toString('latin1')
    const known = this.#nodes.get(name)
    if (!known) this.#nodes.set(name, { id, manifests: new Set(manifests), levels, range })
    else {
      for (const manifest of manifests) known.manifests.add(manifest)
      known.levels = Math.min(known.levels, levels)
      known.range = { first: range.first, next: lesser(known.range.next, range.next) }
    }
  }

  all(): Shared[] {
    return Array.from(this.#nodes.values(), ({ manifests, ...node }) => ({
      ...node,
      manifests: [...manifests].sort((a, b) => a - b),
    }))
  }
}

function lesser(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (!a || !b) return a ?? b
  return comparePaths(a, b) < 0 ? a : b
}

function itemsOf(bytes: Uint8Array, range: PathRange, matches: MergeOptions['matches']): readonly Item[] {
  const node = openNode(bytes, range)
  if (node.type === 'leaf')
    return node.entries
      .filter(({ path, type }) => !matches || matches(path, type === 'directory'))
      .map((entry) => ({ path: entry.path, entry }))
  return node.children.map(({ firstPath, id }, i) => ({
    path: firstPath,
    id,
    next: node.children[i + 1]?.firstPath ?? range.next,
  }))
}

function compareItems(a: Item, b: Item): number {
  return comparePaths(a.path, b.path) || Number(b.id !== undefined) - Number(a.id !== undefined)
}

function isAt(item: Item, path: Uint8Array, node: boolean): boolean {
  return (item.id !== undefined) === node && comparePaths(item.path, path) === 0
}

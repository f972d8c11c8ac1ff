import { comparePaths } from '@pipe-backup/source'
import { type ManifestEntry, type ManifestNode } from '../format/manifest-node.ts'
import { NODES_AHEAD, NodesAhead } from './nodes-ahead.ts'
import {
  checkLevels,
  isBelow,
  MAX_LEVELS,
  mayHold,
  openNode,
  type PathRange,
  type ReadsChunks,
} from './walk-manifest.ts'

/** Opened nodes of a leaf's 128 entries each: those on the way to what was looked up last. */
const MAX_NODES = 32

/** Whether a node's entries, from the first to before the next, are wanted; asked when the walk comes to it, or near. */
type Wants = (first: Uint8Array, next: Uint8Array | undefined) => boolean

type Branch = Extract<ManifestNode, { type: 'branch' }>

interface NodeAt extends PathRange {
  readonly id: Uint8Array
}

/** The nodes of one manifest, of which those that were read last stay opened: a directory's files are looked up one after the other. */
export class TreeNodes {
  readonly #chunks: ReadsChunks
  readonly #root: Uint8Array
  readonly #opened = new Map<string, ManifestNode>()

  constructor(chunks: ReadsChunks, root: Uint8Array) {
    this.#chunks = chunks
    this.#root = root
  }

  /** The entry at a path, or the first one below it where it has none itself. @throws VaultError */
  async lookUp(path: Uint8Array): Promise<ManifestEntry | undefined> {
    for await (const entry of this.#walk((first, next) => mayHold(path, first, next)))
      if (isBelow(entry.path, path)) return entry
    return undefined
  }

  /**
   * What is in a directory, in order, without what is below that: the nodes that hold nothing else are not read.
   * @param directory - its path; empty for the top
   * @param from - the first name to be given, or what it begins with
   * @yields each name's own entry, or the first one below it where it has none itself
   * @throws VaultError
   */
  async *children(
    directory: Uint8Array,
    from?: Uint8Array,
  ): AsyncGenerator<{ readonly path: Uint8Array; readonly entry: ManifestEntry }> {
    const isTop = directory.length === 0
    const start = from && (isTop ? from : Buffer.concat([directory, Buffer.from('/'), from]))
    let last: Uint8Array | undefined
    const wants = (first: Uint8Array, next: Uint8Array | undefined): boolean => {
      if (!isTop && !mayHold(directory, first, next)) return false
      if (start && next && comparePaths(next, start) <= 0) return false
      return !(last && next && isBelow(first, last) && isBelow(next, last))
    }
    for await (const entry of this.#walk(wants)) {
      if (!isTop && (entry.path.length === directory.length || !isBelow(entry.path, directory))) continue
      if (last && isBelow(entry.path, last)) continue
      if (start && comparePaths(entry.path, start) < 0) continue
      const slash = entry.path.indexOf(0x2f, isTop ? 0 : directory.length + 1)
      last = slash < 0 ? entry.path : entry.path.subarray(0, slash)
      yield { path: last, entry }
    }
  }

  #walk(wants: Wants): AsyncGenerator<ManifestEntry> {
    return this.#walkBelow(wants, new NodesAhead(this.#chunks), { id: this.#root }, MAX_LEVELS)
  }

  async *#walkBelow(
    wants: Wants,
    ahead: NodesAhead,
    below: NodeAt,
    levels: number,
  ): AsyncGenerator<ManifestEntry> {
    checkLevels(levels)
    const node = await this.#open(below, ahead)
    if (node.type === 'leaf') {
      yield* node.entries
      return
    }
    let inARow = 0
    for (let i = 0; i < node.children.length; i++) {
      const child = wantedChild(node, i, below, wants)
      if (!child) {
        inARow = 0
        ahead.forget()
        continue
      }
      // Of a directory with many names all nodes are wanted, of one with large directories in it few.
      for (let next = i + 1; next <= i + inARow; next++) {
        const soon = wantedChild(node, next, below, wants)
        if (soon && !this.#opened.has(nameOf(soon))) ahead.expect(soon.id)
      }
      inARow = Math.min(inARow + 1, NODES_AHEAD)
      yield* this.#walkBelow(wants, ahead, child, levels - 1)
    }
  }

  async #open(at: NodeAt, ahead: NodesAhead): Promise<ManifestNode> {
    const name = nameOf(at)
    const node = this.#opened.get(name) ?? openNode(await ahead.read(at.id), at)
    this.#opened.delete(name)
    this.#opened.set(name, node)
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= MAX_NODES) break
      this.#opened.delete(oldest)
    }
    return node
  }
}

/** A child of a branch, where it is wanted. */
function wantedChild(
  { children }: Branch,
  i: number,
  { next: end }: PathRange,
  wants: Wants,
): NodeAt | undefined {
  const child = children[i]
  if (!child) return undefined
  const { id, firstPath: first } = child
  const next = children[i + 1]?.firstPath ?? end
  return wants(first, next) ? { id, first, next } : undefined
}

/** It was proven to be in this range alone. */
function nameOf({ id, first, next }: NodeAt): string {
  return [id, first, next].map((part) => part && Buffer.from(part).toString('hex')).join()
}

import { comparePaths } from '@pipe-backup/source'
import { type ManifestEntry, type ManifestNode } from '../format/manifest-node.ts'
import { NodesAhead } from './nodes-ahead.ts'
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

/** The nodes of one manifest, of which those that were read last stay opened: a directory's files are looked up one after the other. */
export class TreeNodes {
  readonly #chunks: NodesAhead
  readonly #root: Uint8Array
  readonly #opened = new Map<string, ManifestNode>()

  constructor(chunks: ReadsChunks, root: Uint8Array) {
    this.#chunks = new NodesAhead(chunks)
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

  /** @param wants - whether a node's entries, from the first to before the next, are wanted; asked when the walk comes to it */
  async *#walk(
    wants: (first: Uint8Array, next: Uint8Array | undefined) => boolean,
    id: Uint8Array = this.#root,
    levels: number = MAX_LEVELS,
    range: PathRange = {},
  ): AsyncGenerator<ManifestEntry> {
    checkLevels(levels)
    const node = await this.#open(id, range)
    if (node.type === 'leaf') {
      yield* node.entries
      return
    }
    const { children } = node
    const isWanted = (i: number): boolean => {
      const first = children[i]?.firstPath
      return first !== undefined && wants(first, children[i + 1]?.firstPath ?? range.next)
    }
    let inARow = 0
    for (const [i, { id: child, firstPath: first }] of children.entries()) {
      if (!isWanted(i)) {
        inARow = 0
        this.#chunks.forget()
        continue
      }
      // Of a directory with many names all nodes are wanted, of one with large directories in it few.
      for (let next = i + 1; next <= i + inARow; next++)
        if (isWanted(next)) this.#chunks.expect(children[next]?.id ?? child)
      inARow++
      const next = children[i + 1]?.firstPath ?? range.next
      yield* this.#walk(wants, child, levels - 1, { first, next })
    }
  }

  async #open(id: Uint8Array, range: PathRange): Promise<ManifestNode> {
    // It was proven to be in this range alone.
    const key = [id, range.first, range.next].map((part) => part && Buffer.from(part).toString('hex')).join()
    const node = this.#opened.get(key) ?? openNode(await this.#chunks.read(id), range)
    this.#opened.delete(key)
    this.#opened.set(key, node)
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= MAX_NODES) break
      this.#opened.delete(oldest)
    }
    return node
  }
}

import { createHash } from 'node:crypto'
import type { ManifestEntry } from '../format/manifest-node.ts'
import type { ChunkReader } from './chunk-reader.ts'
import { openChunks } from './open-chunks.ts'
import type { OpenSnapshotOptions } from './open-snapshot.ts'
import { readRange } from './read-range.ts'
import type { StoredFile } from './stored-file-reader.ts'
import { TreeNodes } from './tree-nodes.ts'

const NANOSECONDS = 1_000_000n

/** What a tree has at a path. */
export type TreeEntry = {
  /** Raw bytes: the last component of its path. */
  readonly name: Uint8Array
  /** Undefined for a directory that has no entry of its own, only what is in it. */
  readonly modified: Date | undefined
} & (
  | { readonly type: 'directory' }
  | TreeFile
  | { readonly type: 'symlink'; readonly target: Uint8Array }
  /** A FIFO or a device; a hard link whose file is not in the snapshot. */
  | { readonly type: 'special' }
)

/** A file, under whichever of its names. */
export interface TreeFile {
  readonly type: 'file'
  /** In bytes. */
  readonly size: number
  /** The same for the same bytes, stored the same way; 32 hex digits. */
  readonly contentId: string
  /**
   * The bytes from `from` on and before `to`, from whichever sink has them whole; may be ended early.
   * @param from - from 0 @param to - at most the size
   * @throws VaultError `missing`, `unanswered`, `corrupt`
   */
  read(from: number, to: number): AsyncGenerator<Uint8Array>
}

/** A snapshot as a tree to look around in: nothing is read but what is asked for. */
export interface SnapshotTree {
  /** @param path - raw bytes, from its source's name on; empty for the top @throws VaultError */
  entry(path: Uint8Array): Promise<TreeEntry | undefined>
  /** What is in a directory, not what is below that; nothing for what is none. The top has the sources. @throws VaultError */
  children(path: Uint8Array): AsyncGenerator<TreeEntry>
}

/** Opens a snapshot to look around in, for as many callers as there are. Needs the phrase's keys. */
export async function openTree(options: OpenSnapshotOptions): Promise<SnapshotTree> {
  const { snapshot, from = [snapshot], ...rest } = options
  const chunks = await openChunks({ ...rest, snapshots: from })
  const sources = new Map<string, SourceTree>()
  for (const { name, root } of snapshot.head.sources)
    if (root !== undefined)
      sources.set(name, new SourceTree(chunks, new TreeNodes(chunks, Buffer.from(root, 'hex'))))
  return {
    entry: async (path) => {
      if (path.length === 0) return directory(path)
      const { source, within } = split(path)
      return within.length === 0
        ? sources.has(source)
          ? directory(path)
          : undefined
        : await sources.get(source)?.entry(within)
    },
    children: async function* (path) {
      if (path.length === 0) {
        for (const name of sources.keys()) yield directory(Buffer.from(name))
        return
      }
      const { source, within } = split(path)
      const tree = sources.get(source)
      if (tree) yield* tree.children(within)
    },
  }
}

function directory(name: Uint8Array): TreeEntry {
  return { type: 'directory', name, modified: undefined }
}

function split(path: Uint8Array): { readonly source: string; readonly within: Uint8Array } {
  const slash = path.indexOf(0x2f)
  const end = slash < 0 ? path.length : slash
  return { source: Buffer.from(path.subarray(0, end)).toString(), within: path.subarray(end + 1) }
}

/** What a snapshot has of one source. */
class SourceTree {
  readonly #chunks: ChunkReader
  readonly #nodes: TreeNodes

  constructor(chunks: ChunkReader, nodes: TreeNodes) {
    this.#chunks = chunks
    this.#nodes = nodes
  }

  async entry(path: Uint8Array): Promise<TreeEntry | undefined> {
    const entry = await this.#nodes.lookUp(path)
    return entry && (await this.#toTree(path, entry))
  }

  async *children(path: Uint8Array): AsyncGenerator<TreeEntry> {
    for await (const child of this.#nodes.children(path)) yield await this.#toTree(child.path, child.entry)
  }

  /** @param entry - the one at this path, or the first one below it */
  async #toTree(path: Uint8Array, entry: ManifestEntry): Promise<TreeEntry> {
    const name = path.subarray(path.lastIndexOf(0x2f) + 1)
    if (entry.path.length > path.length) return directory(name)
    const modified = new Date(Number(entry.mtimeNs / NANOSECONDS))
    switch (entry.type) {
      case 'directory':
        return { type: 'directory', name, modified }
      case 'symlink':
        return { type: 'symlink', name, modified, target: entry.target }
      case 'file':
        return { name, modified, ...this.#file(entry) }
      case 'hardlink': {
        const target = await this.#nodes.lookUp(entry.linkTo)
        const isFile = target?.type === 'file' && target.path.length === entry.linkTo.length
        return isFile ? { name, modified, ...this.#file(target) } : { type: 'special', name, modified }
      }
      case 'fifo':
      case 'character-device':
      case 'block-device':
        return { type: 'special', name, modified }
    }
  }

  #file(entry: StoredFile): TreeFile {
    const { size, content } = entry
    const chunks = this.#chunks
    return {
      type: 'file',
      size,
      get contentId() {
        const id = createHash('sha256').update(`${size}\n`)
        return id
          .update('extents' in content ? content.extents.packed : content.treeRoot)
          .digest('hex')
          .slice(0, 32)
      },
      read: (from, to) => readRange(chunks, entry, { from, to }),
    }
  }
}

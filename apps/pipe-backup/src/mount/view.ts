import { createHash } from 'node:crypto'
import type { SnapshotInfo, SnapshotTree, TreeEntry } from '@pipe-backup/vault'
import type { ShelvedSnapshot, SnapshotShelf } from './snapshot-shelf.ts'

/** Of a symbolic link, which is a file that holds where it points: rclone's suffix, of which its --links makes links again. */
const LINK_SUFFIX = '.rclonelink'

/** What a path of the view stands for. */
export type ViewNode = ViewDirectory | ViewFile

export interface ViewDirectory {
  readonly type: 'directory'
  readonly name: Uint8Array
  readonly modified: Date
  children(): AsyncIterable<ViewNode>
}

export interface ViewFile {
  readonly type: 'file'
  readonly name: Uint8Array
  readonly modified: Date
  readonly size: number
  /** 32 hex digits, the same for the same bytes. */
  readonly contentId: string
  /** The bytes from `from` on and before `to`. */
  read(from: number, to: number): AsyncGenerator<Uint8Array>
}

/** All snapshots as one tree: `latest`, `by-time` and `by-id`, and below each its sources. */
export class View {
  readonly #shelf: SnapshotShelf

  constructor(shelf: SnapshotShelf) {
    this.#shelf = shelf
  }

  /** @param names - raw bytes @returns undefined where nothing is @throws VaultError, SinkError */
  async find(names: readonly Uint8Array[]): Promise<ViewNode | undefined> {
    const [top, second, ...rest] = names
    if (!top) return this.#root(await this.#shelf.snapshots(true))
    const kind = Buffer.from(top).toString()
    if (kind === 'latest') {
      const latest = await this.#shelf.latest()
      return latest && (await this.#inSnapshot(latest, kind, second ? [second, ...rest] : []))
    }
    if (kind !== 'by-time' && kind !== 'by-id') return undefined
    const snapshots = await this.#shelf.snapshots(!second)
    if (!second) return this.#list(kind, snapshots)
    const wanted = Buffer.from(second).toString()
    const found = named(kind, snapshots).find(({ name }) => name === wanted)
    return found && (await this.#inSnapshot(this.#shelf.shelved(found.snapshot), wanted, rest))
  }

  #root(snapshots: readonly SnapshotInfo[]): ViewDirectory {
    const shelf = this.#shelf
    const list = (kind: 'by-time' | 'by-id') => this.#list(kind, snapshots)
    async function* children(): AsyncGenerator<ViewNode> {
      const latest = await shelf.latest()
      if (latest) yield topOf(latest, 'latest')
      yield list('by-time')
      yield list('by-id')
    }
    return { type: 'directory', name: Buffer.alloc(0), modified: newest(snapshots), children }
  }

  #list(kind: 'by-time' | 'by-id', snapshots: readonly SnapshotInfo[]): ViewDirectory {
    const shelf = this.#shelf
    async function* children(): AsyncGenerator<ViewNode> {
      for (const { name, snapshot } of named(kind, snapshots)) yield topOf(shelf.shelved(snapshot), name)
    }
    return { type: 'directory', name: Buffer.from(kind), modified: newest(snapshots), children }
  }

  async #inSnapshot(
    shelved: ShelvedSnapshot,
    name: string,
    names: readonly Uint8Array[],
  ): Promise<ViewNode | undefined> {
    const last = names.at(-1)
    if (!last) return topOf(shelved, name)
    const opened: Opened = { tree: await shelved.open(), snapshot: shelved.snapshot }
    const path = join(names)
    const entry = await opened.tree.entry(path)
    if (entry) return entry.type === 'symlink' ? undefined : toNode(opened, path, entry)
    if (!Buffer.from(last).toString('latin1').endsWith(LINK_SUFFIX)) return undefined
    const link = await opened.tree.entry(path.subarray(0, -LINK_SUFFIX.length))
    return link?.type === 'symlink' ? linkFile(link) : undefined
  }
}

interface Opened {
  readonly tree: SnapshotTree
  readonly snapshot: SnapshotInfo
}

function topOf({ snapshot, open }: ShelvedSnapshot, name: string): ViewDirectory {
  async function* children(): AsyncGenerator<ViewNode> {
    yield* childrenOf({ tree: await open(), snapshot }, Buffer.alloc(0))
  }
  return { type: 'directory', name: Buffer.from(name), modified: snapshot.time, children }
}

async function* childrenOf(opened: Opened, path: Buffer): AsyncGenerator<ViewNode> {
  for await (const entry of opened.tree.children(path)) {
    const below = path.length === 0 ? Buffer.from(entry.name) : join([path, entry.name])
    if (entry.type === 'symlink') {
      // A file of that name is itself.
      const other = await opened.tree.entry(Buffer.concat([below, Buffer.from(LINK_SUFFIX)]))
      if (!other) yield linkFile(entry)
      continue
    }
    const node = toNode(opened, below, entry)
    if (node) yield node
  }
}

/** @returns undefined for what no client could do anything with */
function toNode(
  opened: Opened,
  path: Buffer,
  entry: Exclude<TreeEntry, { type: 'symlink' }>,
): ViewNode | undefined {
  const { name } = entry
  const modified = entry.modified ?? opened.snapshot.time
  switch (entry.type) {
    case 'directory':
      return { type: 'directory', name, modified, children: () => childrenOf(opened, path) }
    case 'file':
      return {
        type: 'file',
        name,
        modified,
        size: entry.size,
        get contentId() {
          return entry.contentId
        },
        read: (from, to) => entry.read(from, to),
      }
    case 'special':
      return undefined
  }
}

function linkFile({ name, modified, target }: Extract<TreeEntry, { type: 'symlink' }>): ViewFile {
  return {
    type: 'file',
    name: Buffer.concat([name, Buffer.from(LINK_SUFFIX)]),
    modified: modified ?? new Date(0),
    size: target.length,
    contentId: createHash('sha256').update(target).digest('hex').slice(0, 32),
    read: async function* (from, to) {
      yield target.subarray(from, to)
    },
  }
}

interface Named {
  readonly name: string
  readonly snapshot: SnapshotInfo
}

/** Their names below a list of them. Of two of one second, the later one's has its id. */
function named(kind: 'by-time' | 'by-id', snapshots: readonly SnapshotInfo[]): readonly Named[] {
  if (kind === 'by-id') return snapshots.map((snapshot) => ({ name: snapshot.id, snapshot }))
  const taken = new Set<string>()
  return snapshots.map((snapshot) => {
    const time = snapshot.time
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replaceAll(':', '-')
    const name = taken.has(time) ? `${time}-${snapshot.id}` : time
    taken.add(name)
    return { name, snapshot }
  })
}

function newest(snapshots: readonly SnapshotInfo[]): Date {
  return snapshots.at(-1)?.time ?? new Date(0)
}

function join(names: readonly Uint8Array[]): Buffer {
  return Buffer.concat(names.flatMap((name, i) => (i === 0 ? [name] : [Buffer.from('/'), name])))
}

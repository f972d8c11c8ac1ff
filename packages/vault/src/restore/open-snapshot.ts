import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { Entry } from '@pipe-backup/source'
import type { ManifestEntry } from '../format/manifest-node.ts'
import type { SnapshotSource } from '../format/snapshot-object.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'
import type { ChunkReader } from './chunk-reader.ts'
import { Leaf } from './leaves.ts'
import { type ListedEntry, toListed } from './listed-entry.ts'
import { openChunks } from './open-chunks.ts'
import { ParentDirectories } from './parent-directories.ts'
import type { ReadAhead } from './read-ahead.ts'
import type { Place } from './read-plan.ts'
import { type StoredFile, StoredFileReader } from './stored-file-reader.ts'
import { TreeNodes } from './tree-nodes.ts'
import { isBelow, walkLeaves, walkManifest } from './walk-manifest.ts'

export interface OpenSnapshotOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  readonly snapshot: SnapshotInfo
  /** The snapshots that its sources are from, where they are not all of one (`selectSources`). */
  readonly from?: readonly SnapshotInfo[] | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each object that was missing or damaged on a sink; reading goes on from another. */
  readonly onProblem?: ((error: Error) => void) | undefined
  /** How long a sink may give less than 1 kB a second of what another may have, in milliseconds: then it is asked last. Default a minute. */
  readonly slowAfterMs?: number | undefined
}

/** What is directly in a directory. */
export interface Child {
  readonly name: Uint8Array
  /** `undefined` for a directory of which the snapshot has only what is in it. */
  readonly entry: ListedEntry | undefined
}

/** Whether an entry is wanted. @param path - raw bytes, from its source's name on */
export type IsWanted = (path: Uint8Array, isDirectory: boolean) => boolean

/** To be disposed of: it may have threads. */
export interface SnapshotReader extends AsyncDisposable {
  /**
   * The entries at and below these paths, or all, in order; each path is prefixed by its source's name. A hard link whose target is
   * not among them comes as a file, if the snapshot has the target at all.
   * @param paths - raw bytes, each beginning with a source's name
   * @param isWanted - leaves out entries of these
   * @param options - `parents`: directories that are left out come, too, marked as `ifMissing`, before what is in them
   * @throws VaultError `not-found` when a path selects nothing, or its source failed in this snapshot
   */
  entries(
    paths?: readonly Uint8Array[],
    isWanted?: IsWanted,
    options?: { readonly parents?: boolean },
  ): AsyncIterable<Entry>
  /**
   * What is directly in a directory, in the order of names; nothing where there is no such directory.
   * @param directory - raw bytes, beginning with a source's name
   * @param from - the first name to be given, or what it begins with; default: from the first on
   * @throws VaultError `not-found` when the source is not there, or failed in this snapshot
   */
  children(directory: Uint8Array, from?: Uint8Array): AsyncIterable<Child>
}

/** Opens a snapshot for reading. Needs the phrase's keys. */
export async function openSnapshot(options: OpenSnapshotOptions): Promise<SnapshotReader> {
  const { snapshot, from = [snapshot], signal, ...rest } = options
  const chunks = await openChunks({ ...rest, snapshots: from, signal })
  const ahead = chunks.readAhead()
  return {
    entries: (paths, isWanted, { parents = false } = {}) =>
      readEntries({ chunks, ahead }, snapshot, { paths, isWanted, parents }, signal),
    children: (directory, from) => readChildren(chunks, snapshot, directory, from),
    [Symbol.asyncDispose]: () => ahead[Symbol.asyncDispose](),
  }
}

/** What is asked for. */
interface Choice {
  readonly paths: readonly Uint8Array[] | undefined
  readonly isWanted: IsWanted | undefined
  readonly parents: boolean
}

/** What reads the vault. */
interface Reading {
  readonly chunks: ChunkReader
  readonly ahead: ReadAhead
}

async function* readEntries(
  reading: Reading,
  snapshot: SnapshotInfo,
  { paths, isWanted, parents }: Choice,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry> {
  const { chunks, ahead } = reading
  const selections = select(snapshot, paths)
  for (const { source, below } of selections) {
    if (source.root === undefined) continue
    const root = Buffer.from(source.root, 'hex')
    const found = new Set<Uint8Array>()
    const leaves = walkLeaves(chunks, root, below)
    const toEntry = new EntryMaker(reading, root, source.name, { below, isWanted })
    const above = parents ? new ParentDirectories(new TreeNodes(chunks, root)) : undefined
    let leaf: Leaf | undefined = Leaf.before(leaves)
    try {
      for (; leaf; leaf = await leaf.pass()) {
        ahead.enter(leaf)
        for (const [index, entry] of leaf.entries.entries()) {
          signal?.throwIfAborted()
          for (const path of below ?? []) if (isBelow(entry.path, path)) found.add(path)
          const path = toEntry.pathOf(entry)
          if (isWanted?.(path, entry.type === 'directory') === false) continue
          for (const directory of above?.before(entry) ?? []) {
            const parent = await above?.find(directory)
            if (parent) yield { ...parent, path: toEntry.pathOf(parent), ifMissing: true }
          }
          const made = toEntry.make(entry, path, { leaf, index })
          yield made instanceof Promise ? await made : made
          // Who wants one entry does not wait for another leaf.
          if (index === 0) void leaf.next()
        }
      }
    } finally {
      await leaves.return(undefined)
    }
    const lost = below?.find((path) => !found.has(path))
    if (lost) throw notFound(`${source.name}/${Buffer.from(lost).toString()}`, snapshot)
  }
}

async function* readChildren(
  chunks: ChunkReader,
  snapshot: SnapshotInfo,
  directory: Uint8Array,
  from: Uint8Array | undefined,
): AsyncGenerator<Child> {
  for (const { source, below = [Buffer.of()] } of select(snapshot, [directory])) {
    if (source.root === undefined) continue
    for (const path of below)
      for await (const child of new TreeNodes(chunks, Buffer.from(source.root, 'hex')).children(path, from)) {
        const isOwn = child.entry.path.length === child.path.length
        yield {
          name: child.path.subarray(child.path.lastIndexOf(0x2f) + 1),
          entry: isOwn ? toListed(source.name, child.entry) : undefined,
        }
      }
  }
}

interface Selection {
  readonly source: SnapshotSource
  /** Paths within the source; undefined for all of it. */
  readonly below: readonly Uint8Array[] | undefined
}

function select(snapshot: SnapshotInfo, paths: readonly Uint8Array[] | undefined): Selection[] {
  const { sources } = snapshot.head
  if (!paths || paths.length === 0) return sources.map((source) => ({ source, below: undefined }))
  const wanted = new Map<string, Uint8Array[] | undefined>()
  for (const path of paths) {
    const text = Buffer.from(path)
      .toString('latin1')
      .replaceAll(/^\/+|\/+$/g, '')
    const slash = text.indexOf('/')
    const name = Buffer.from(slash < 0 ? text : text.slice(0, slash), 'latin1').toString()
    if (!sources.some((source) => source.name === name)) throw notFound(name, snapshot)
    if (slash < 0) wanted.set(name, undefined)
    else if (!wanted.has(name)) wanted.set(name, [Buffer.from(text.slice(slash + 1), 'latin1')])
    else wanted.get(name)?.push(Buffer.from(text.slice(slash + 1), 'latin1'))
  }
  const chosen = sources.filter(({ name }) => wanted.has(name))
  const failed = chosen.find(({ root }) => root === undefined)
  if (failed) {
    throw new VaultError(
      'not-found',
      `source "${failed.name}" failed in snapshot ${snapshot.id}: ${failed.error ?? ''}`,
      {
        hint: 'Take an older snapshot: `pipe-backup snapshots` shows where it is ok.',
      },
    )
  }
  return chosen.map((source) => ({ source, below: wanted.get(source.name) }))
}

function notFound(path: string, snapshot: SnapshotInfo): VaultError {
  const names = snapshot.head.sources.map(({ name }) => name).join(', ')
  return new VaultError('not-found', `snapshot ${snapshot.id} has no ${path}`, {
    hint: `A path begins with its source's name (${names}); \`pipe-backup ls ${snapshot.id}\` lists them.`,
  })
}

/** Of a source. */
interface Chosen {
  readonly below: readonly Uint8Array[] | undefined
  readonly isWanted: IsWanted | undefined
}

/** Makes what is given out of what a manifest has. */
class EntryMaker {
  readonly #reading: Reading
  readonly #root: Uint8Array
  readonly #prefix: Buffer
  readonly #chosen: Chosen

  constructor(reading: Reading, root: Uint8Array, source: string, chosen: Chosen) {
    this.#reading = reading
    this.#root = root
    this.#prefix = Buffer.from(`${source}/`)
    this.#chosen = chosen
  }

  /** With the source's name before it. */
  pathOf({ path }: ManifestEntry): Buffer {
    return this.#prefixed(path)
  }

  make(entry: ManifestEntry, path: Uint8Array, place: Place): Entry | Promise<Entry> {
    if (entry.type === 'hardlink') return this.#hardlink(entry, path)
    return entry.type === 'file' ? this.#file(entry, path, place) : { ...entry, path }
  }

  async #hardlink(entry: Extract<ManifestEntry, { type: 'hardlink' }>, path: Uint8Array): Promise<Entry> {
    const { linkTo } = entry
    const link = { ...entry, path, linkTo: this.#prefixed(linkTo) }
    const { below, isWanted } = this.#chosen
    const isChosen = !below || below.some((selected) => isBelow(linkTo, selected))
    if (isChosen && isWanted?.(link.linkTo, false) !== false) return link
    for await (const target of walkManifest(this.#reading.chunks, this.#root, [linkTo])) {
      if (target.type === 'file') return this.#file(target, path, undefined)
    }
    // The file could not be read when this was stored. Whoever writes the entries says so of this one, and goes on.
    return link
  }

  /** @param place - of a file that is restored in its order */
  #file(entry: StoredFile, path: Uint8Array, place: Place | undefined): Entry {
    const { chunks, ahead } = this.#reading
    const { content: _content, ...metadata } = entry
    const open = (): StoredFileReader => {
      if (place) ahead.reach(place)
      return new StoredFileReader(chunks, ahead, entry)
    }
    return { ...metadata, path, open }
  }

  #prefixed(path: Uint8Array): Buffer {
    return Buffer.concat([this.#prefix, path])
  }
}

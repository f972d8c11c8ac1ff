import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { Entry, EntryReader, Reading } from '@pipe-backup/source'
import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'
import { Extents } from '../format/extents.ts'
import type { ManifestEntry } from '../format/manifest-node.ts'
import type { SnapshotSource } from '../format/snapshot-object.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'
import type { ChunkReader } from './chunk-reader.ts'
import { openChunks } from './open-chunks.ts'
import { isBelow, walkExtents, walkManifest } from './walk-manifest.ts'

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
}

export interface SnapshotReader {
  /**
   * The entries at and below these paths, or all, in order; each path is prefixed by its source's name. A hard link whose target is
   * not among them comes as a file, if the snapshot has the target at all.
   * @param paths - raw bytes, each beginning with a source's name
   * @throws VaultError `not-found` when a path selects nothing, or its source failed in this snapshot
   */
  entries(paths?: readonly Uint8Array[]): AsyncIterable<Entry>
}

/** Opens a snapshot for reading. Needs the phrase's keys. */
export async function openSnapshot(options: OpenSnapshotOptions): Promise<SnapshotReader> {
  const { snapshot, from = [snapshot], signal, ...rest } = options
  const chunks = await openChunks({ ...rest, snapshots: from, signal })
  return { entries: (paths) => readEntries(chunks, snapshot, paths, signal) }
}

async function* readEntries(
  chunks: ChunkReader,
  snapshot: SnapshotInfo,
  paths: readonly Uint8Array[] | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry> {
  const selections = select(snapshot, paths)
  for (const { source, below } of selections) {
    if (source.root === undefined) continue
    const root = Buffer.from(source.root, 'hex')
    const found = new Set<Uint8Array>()
    for await (const entry of walkManifest(chunks, root, below)) {
      signal?.throwIfAborted()
      for (const path of below ?? []) if (isBelow(entry.path, path)) found.add(path)
      yield await toEntry(chunks, root, source.name, entry, below)
    }
    const lost = below?.find((path) => !found.has(path))
    if (lost) throw notFound(`${source.name}/${Buffer.from(lost).toString()}`, snapshot)
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

async function toEntry(
  chunks: ChunkReader,
  root: Uint8Array,
  source: string,
  entry: ManifestEntry,
  below: readonly Uint8Array[] | undefined,
): Promise<Entry> {
  const prefix = Buffer.from(`${source}/`)
  const path = Buffer.concat([prefix, entry.path])
  if (entry.type === 'hardlink') {
    const { linkTo } = entry
    if (!below || below.some((selected) => isBelow(linkTo, selected)))
      return { ...entry, path, linkTo: Buffer.concat([prefix, linkTo]) }
    for await (const target of walkManifest(chunks, root, [linkTo])) {
      if (target.type === 'file') return fileEntry(chunks, { ...target, path })
    }
    // The file could not be read when this was stored. Whoever writes the entries says so of this one, and goes on.
    return { ...entry, path, linkTo: Buffer.concat([prefix, linkTo]) }
  }
  return entry.type === 'file' ? fileEntry(chunks, { ...entry, path }) : { ...entry, path }
}

function fileEntry(chunks: ChunkReader, entry: Extract<ManifestEntry, { type: 'file' }>): Entry {
  const { content: _content, ...metadata } = entry
  return { ...metadata, open: () => new StoredFileReader(chunks, entry) }
}

/** Reads a file's extents one after the other. */
class StoredFileReader implements EntryReader {
  readonly #chunks: ChunkReader
  readonly #entry: Extract<ManifestEntry, { type: 'file' }>
  readonly #extents: AsyncIterator<Extents>
  #batch = new Extents()
  #next = 0
  #piece: Uint8Array = new Uint8Array()
  #bytes = 0

  constructor(chunks: ChunkReader, entry: Extract<ManifestEntry, { type: 'file' }>) {
    this.#chunks = chunks
    this.#entry = entry
    this.#extents = walkExtents(chunks, entry.content)[Symbol.asyncIterator]()
  }

  read(into: Uint8Array): number | Promise<number> {
    return this.#piece.length > 0 ? this.#copy(into) : this.#fetch(into)
  }

  async #fetch(into: Uint8Array): Promise<number> {
    while (this.#next >= this.#batch.count) {
      const step = await this.#extents.next()
      if (step.done) return this.#atEnd()
      this.#batch = step.value
      this.#next = 0
    }
    const i = this.#next++
    const plain = await this.#chunks.read(this.#batch.id(i).subarray(0, CHUNK_ID_BYTES))
    const [offset, length] = [this.#batch.offset(i), this.#batch.length(i)]
    if (offset + length > plain.length)
      throw new VaultError('corrupt', `${this.#path()} uses more of a chunk than there is`)
    this.#piece = plain.subarray(offset, offset + length)
    return length === 0 ? this.#fetch(into) : this.#copy(into)
  }

  #copy(into: Uint8Array): number {
    const length = Math.min(into.length, this.#piece.length)
    into.set(this.#piece.subarray(0, length))
    this.#piece = this.#piece.subarray(length)
    this.#bytes += length
    return length
  }

  #atEnd(): number {
    if (this.#bytes !== this.#entry.size)
      throw new VaultError('corrupt', `${this.#path()} has ${this.#bytes} bytes, not ${this.#entry.size}`)
    return 0
  }

  #path(): string {
    return Buffer.from(this.#entry.path).toString()
  }

  finish(): Reading {
    return { steady: true, mtimeNs: this.#entry.mtimeNs }
  }

  async close(): Promise<void> {
    await this.#extents.return?.()
  }
}

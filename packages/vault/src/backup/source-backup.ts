import type { Gear } from '@pipe-backup/chunker'
import { chunkId } from '@pipe-backup/crypto'
import type { Entry, FileEntry, Reading, Source, SourceProblem } from '@pipe-backup/source'
import { ChunkKind } from '../format/chunk-codec.ts'
import type { Extents } from '../format/extents.ts'
import { hasCode } from '../has-code.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { BUNDLE_FILE_BYTES } from './bundle.ts'
import { ContentWriter } from './content-writer.ts'
import { EntryQueue, type FileContent, type QueuedEntry } from './entry-queue.ts'
import type { FileState, KnownFile } from './file-state.ts'
import { ManifestBuilder } from './manifest-builder.ts'
import { leadOf, PathHash, stateKey } from './path-hash.ts'
import { Slab } from './slab.ts'

/** A file that changes each time it is read is taken as it is after so many readings, and marked. */
const READINGS = 3
/** Nodes wait for a slab until they are worth one. */
const NODES_AT_ONCE_BYTES = 1024 * 1024
/** Entries that wait for a bundle to end; beyond that it is ended early. */
const MAX_WAITING = 16_384

export interface SourceCounts {
  entries: number
  bytes: number
  bytesRead: number
  problems: number
}

export interface SourceBackupOptions {
  readonly source: Source
  readonly pool: SealPool
  readonly index: ChunkIndex
  readonly state: FileState
  readonly gear: Gear
  readonly pathKey: Uint8Array
  readonly nodeIdKey: Uint8Array
  /** Chunks to be left behind, hex: less than half of each is in use. */
  readonly mostlyDead: ReadonlySet<string>
  /** Whether files are read that look unchanged. */
  readonly isForced: boolean
  /** Resolves when the run may take up more: the window has room. */
  readonly room: () => Promise<void>
  /** The same for a program's output, which is never left unread for long. @returns how many bytes may be read before it is called again */
  readonly roomForPiece: () => Promise<number>
  readonly onProblem: (problem: SourceProblem) => void
  readonly onRead: (bytes: number) => void
  readonly onEntry: () => void
  /** Called with the size of each file that has not changed. */
  readonly onUnchanged: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

/** One walk over a source: reads what changed, stores it, and builds the manifest. */
export class SourceBackup {
  readonly #options: SourceBackupOptions
  readonly #builder: ManifestBuilder
  readonly #paths: PathHash
  readonly #content: ContentWriter
  readonly #queue = new EntryQueue((entry, extents) => this.#add(entry, extents))
  #nodes: { bytes: Buffer; kind: ChunkKind }[] = []
  #nodeBytes = 0
  readonly counts: SourceCounts = { entries: 0, bytes: 0, bytesRead: 0, problems: 0 }

  constructor(options: SourceBackupOptions) {
    this.#options = options
    this.#builder = new ManifestBuilder((node, kind) => this.#storeNode(node, kind))
    this.#content = new ContentWriter({
      ...options,
      onRead: (bytes) => this.#countRead(bytes),
      onStored: () => this.#queue.drain(),
    })
    this.#paths = new PathHash(options.pathKey, options.source.name)
  }

  /** @returns the id of the manifest's root @throws SourceError when the source as a whole failed */
  async run(): Promise<Uint8Array> {
    const { source, pool, signal } = this.#options
    const onProblem = (problem: SourceProblem) => this.#problem(problem)
    for await (const entry of source.entries({ onProblem, signal })) {
      await this.#take(entry)
      if (this.#nodeBytes >= NODES_AT_ONCE_BYTES) await this.#sendNodes()
      if (this.#queue.length > MAX_WAITING) {
        this.#content.submitAll()
        await pool.idle()
      }
    }
    this.#content.submitAll()
    await pool.idle()
    if (this.#queue.length > 0) throw new Error('entries are left whose chunks never came')
    const root = this.#builder.finish()
    await this.#sendNodes()
    await pool.idle()
    return root
  }

  /** After `run` has failed: gives the memory back, and stores the nodes that the index counts on already. */
  async abandon(): Promise<void> {
    const { pool } = this.#options
    this.#content.submitAll()
    await pool.idle()
    await this.#sendNodes()
    await pool.idle()
  }

  async #take(entry: Entry): Promise<void> {
    const pathHash = this.#paths.of(entry.path)
    const queued = { entry, pathHash, size: 0, mtimeNs: entry.mtimeNs, unsteady: false }
    if (entry.type !== 'file') {
      this.#queue.push(queued)
      return
    }
    const known = this.#unchanged(entry, pathHash)
    if (known) {
      const { extents, attributes } = known
      this.#options.onUnchanged(entry.size ?? 0)
      this.#queue.push({ ...queued, size: entry.size ?? 0, attributes, content: { extents: () => extents } })
      return
    }
    if (entry.size !== undefined) await this.#options.room()
    await this.#read(entry, pathHash)
  }

  #unchanged(entry: FileEntry, pathHash: string): KnownFile | undefined {
    const { state, index, mostlyDead, isForced } = this.#options
    if (isForced || entry.size === undefined || !entry.identity) return undefined
    const known = state.unchanged(stateKey(pathHash), entry.size, entry.mtimeNs, entry.identity)
    if (!known) return undefined
    const { extents } = known
    for (let i = 0; i < extents.count; i++) {
      const id = extents.id(i)
      if (!index.has(id)) return undefined
      if (mostlyDead.size > 0 && mostlyDead.has(id.toString('hex'))) return undefined
    }
    return known
  }

  /** Reads a file until it held still for a whole reading, or would not. */
  async #read(entry: FileEntry, pathHash: string): Promise<void> {
    for (let reading = 1; ; reading++) {
      let once: { size: number; content: FileContent; end: Reading }
      try {
        once = await this.#readOnce(entry)
      } catch (error) {
        const code = hasCode(error, 'vanished') ? 'vanished' : 'unreadable'
        if (!hasCode(error, code)) throw error
        const path = shown(entry.path)
        this.#problem({ code, path, message: messageOf(error, path) })
        return
      }
      const { size, content, end } = once
      if (!end.steady && reading < READINGS) continue
      if (!end.steady) {
        this.#problem({
          code: 'changed',
          path: shown(entry.path),
          message: `changed each of the ${READINGS} times it was read; stored as it was read last`,
        })
      }
      const identity = end.steady ? end.identity : undefined
      const { mtimeNs, steady } = end
      const { attributes } = entry
      this.#queue.push({ entry, pathHash, content, size, mtimeNs, unsteady: !steady, identity, attributes })
      return
    }
  }

  async #readOnce(entry: FileEntry): Promise<{ size: number; content: FileContent; end: Reading }> {
    const reader = await entry.open()
    try {
      const small = entry.size !== undefined && entry.size < BUNDLE_FILE_BYTES
      const isLive = entry.size === undefined
      const { size, content } = small
        ? await this.#content.readSmall(reader)
        : await this.#content.readLarge(reader, { isLive })
      return { size, content, end: await reader.finish() }
    } finally {
      await reader.close()
    }
  }

  #add(queued: QueuedEntry, extents: Extents | undefined): void {
    const { index, state, onEntry } = this.#options
    const { entry, pathHash, size, mtimeNs, unsteady, identity, attributes } = queued
    if (entry.type === 'file' && extents) {
      for (let i = 0; i < extents.count; i++) {
        if (!index.markLive(extents.id(i), extents.length(i)))
          throw new Error('a chunk of an entry is not known')
      }
      const { path, mode, uid, gid, user, group, sparse = false } = entry
      const content = { extents }
      const metadata = { type: 'file', path, mode, uid, gid, user, group, mtimeNs, attributes } as const
      this.#builder.add({ ...metadata, size, sparse, unsteady, content }, leadOf(pathHash))
      this.counts.bytes += size
      if (identity) state.remember(stateKey(pathHash), size, mtimeNs, identity, { extents, attributes })
    } else if (entry.type !== 'file') this.#builder.add(entry, leadOf(pathHash))
    this.counts.entries++
    onEntry()
  }

  #storeNode(node: Buffer, kind: ChunkKind): Uint8Array {
    const { index, nodeIdKey } = this.#options
    const id = Uint8Array.from(chunkId(nodeIdKey, node))
    if (!index.has(id)) {
      index.addPending(id, kind, node.length)
      this.#nodes.push({ bytes: node, kind })
      this.#nodeBytes += node.length
    }
    index.markLive(id, node.length)
    return id
  }

  async #sendNodes(): Promise<void> {
    const nodes = this.#nodes
    this.#nodes = []
    this.#nodeBytes = 0
    let slab: Slab | undefined
    for (const { bytes, kind } of nodes) {
      if (slab && slab.room < bytes.length) {
        slab.submit(this.#options.pool, () => undefined)
        slab = undefined
      }
      slab ??= new Slab(await this.#options.pool.takeSlab())
      slab.bytes.set(bytes, slab.filled)
      slab.cut(slab.filled, bytes.length, kind)
      slab.filled += bytes.length
    }
    slab?.submit(this.#options.pool, () => undefined)
  }

  #countRead(bytes: number): void {
    this.counts.bytesRead += bytes
    this.#options.onRead(bytes)
  }

  #problem(problem: SourceProblem): void {
    if (problem.code !== 'skipped') this.counts.problems++
    this.#options.onProblem(problem)
  }
}

function shown(path: Uint8Array): string {
  return Buffer.from(path).toString()
}

/** What and why. Where is reported beside it: a source that says it too must not have it said twice. */
function messageOf(error: unknown, path: string): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message
}

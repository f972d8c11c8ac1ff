import { createCutter, type Gear } from '@pipe-backup/chunker'
import { chunkId } from '@pipe-backup/crypto'
import type { Entry, EntryReader, FileEntry, Reading, Source, SourceProblem } from '@pipe-backup/source'
import { ChunkKind } from '../format/chunk-codec.ts'
import type { Extents } from '../format/extents.ts'
import { hasCode } from '../has-code.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { BUNDLE_FILE_BYTES, BUNDLE_MOST_BYTES, bundleEndsAfter } from './bundle.ts'
import {
  BundledContent,
  ChunkedContent,
  EntryQueue,
  type FileContent,
  type QueuedEntry,
} from './entry-queue.ts'
import type { FileState, KnownFile } from './file-state.ts'
import { ManifestBuilder } from './manifest-builder.ts'
import { leadOf, PathHash, stateKey } from './path-hash.ts'
import { type PieceRef, Slab } from './slab.ts'

const AVERAGE_CHUNK_BYTES: number = 1024 * 1024
const LARGEST_CHUNK_BYTES: number = 4 * AVERAGE_CHUNK_BYTES
export const SLAB_BYTES: number = 2 * LARGEST_CHUNK_BYTES
/** A file that changes each time it is read is taken as it is after so many readings, and marked. */
const READINGS = 3
/** How much is asked of a large file at once. */
const READ_BYTES = 1024 * 1024
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
  /** Resolves when the run may take up more: the window has room. */
  readonly room: () => Promise<void>
  /** The same for a program's output, which is never left unread for long. @returns how many bytes may be read before it is called again */
  readonly roomForPiece: () => Promise<number>
  readonly onProblem: (problem: SourceProblem) => void
  readonly onRead: (bytes: number) => void
  readonly onEntry: () => void
  readonly signal?: AbortSignal | undefined
}

interface ReadContent {
  readonly size: number
  readonly content: FileContent
}

/** One walk over a source: reads what changed, stores it, and builds the manifest. */
export class SourceBackup {
  readonly #options: SourceBackupOptions
  readonly #builder: ManifestBuilder
  readonly #cutter: ReturnType<typeof createCutter>
  readonly #paths: PathHash
  readonly #queue = new EntryQueue((entry, extents) => this.#add(entry, extents))
  #nodes: { bytes: Buffer; kind: ChunkKind }[] = []
  #nodeBytes = 0
  #bundleSlab: Slab | undefined
  #bundleStart = 0
  #bundle: PieceRef = { id: undefined }
  #largeSlab: Slab | undefined
  readonly counts: SourceCounts = { entries: 0, bytes: 0, bytesRead: 0, problems: 0 }

  constructor(options: SourceBackupOptions) {
    this.#options = options
    this.#builder = new ManifestBuilder((node, kind) => this.#storeNode(node, kind))
    this.#cutter = createCutter({ gear: options.gear, averageBytes: AVERAGE_CHUNK_BYTES })
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
        this.#submitAll()
        await pool.idle()
      }
    }
    this.#submitAll()
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
    this.#submitAll()
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
      this.#queue.push({ ...queued, size: entry.size ?? 0, attributes, content: { extents: () => extents } })
      return
    }
    if (entry.size !== undefined) await this.#options.room()
    await this.#read(entry, pathHash)
  }

  #unchanged(entry: FileEntry, pathHash: string): KnownFile | undefined {
    const { state, index, mostlyDead } = this.#options
    if (entry.size === undefined || !entry.identity) return undefined
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
        ? await this.#readSmall(reader)
        : await this.#readLarge(reader, { isLive })
      return { size, content, end: await reader.finish() }
    } finally {
      await reader.close()
    }
  }

  async #readSmall(reader: EntryReader): Promise<ReadContent> {
    const slab = (this.#bundleSlab ??= new Slab(await this.#options.pool.takeSlab()))
    const start = slab.filled
    let at = start
    for (;;) {
      const step = reader.read(slab.bytes.subarray(at, start + BUNDLE_FILE_BYTES))
      const got = typeof step === 'number' ? step : await step
      this.#countRead(got)
      if (got === 0) break
      at += got
      if (at === start + BUNDLE_FILE_BYTES) {
        return this.#readLarge(reader, { already: slab.bytes.subarray(start, at) })
      }
    }
    const size = at - start
    if (size === 0) return { size, content: new ChunkedContent() }
    slab.filled = at
    // A reading that turns out to have been unsteady leaves its bytes in the bundle, with nobody's name on them.
    const content = new BundledContent(this.#bundle, start - this.#bundleStart, size)
    if (bundleEndsAfter(slab.bytes.subarray(start, at), at - this.#bundleStart)) this.#endBundle()
    return { size, content }
  }

  #endBundle(): void {
    const slab = this.#bundleSlab
    if (!slab || slab.filled === this.#bundleStart) return
    slab.cut(this.#bundleStart, slab.filled - this.#bundleStart, ChunkKind.data, this.#bundle)
    this.#bundle = { id: undefined }
    this.#bundleStart = slab.filled
    // The next bundle must fit, however it is cut: cuts depend on content, never on where a slab happens to end.
    if (slab.room < BUNDLE_MOST_BYTES + BUNDLE_FILE_BYTES) {
      this.#submitBundles()
      // What is in the other slab would keep all the small files behind it waiting.
      this.#submitLarge()
    }
  }

  #submitBundles(): void {
    const slab = this.#bundleSlab
    this.#bundleSlab = undefined
    this.#bundleStart = 0
    this.#submit(slab)
  }

  #submitLarge(): void {
    const slab = this.#largeSlab
    this.#largeSlab = undefined
    this.#submit(slab)
  }

  #submit(slab: Slab | undefined): void {
    slab?.submit(this.#options.pool, () => this.#queue.drain())
  }

  /** @param how - `already`: bytes that have been read; `isLive`: a program writes it, and is not to wait for long */
  async #readLarge(
    reader: EntryReader,
    {
      already,
      isLive = false,
    }: { readonly already?: Uint8Array | undefined; readonly isLive?: boolean | undefined },
  ): Promise<ReadContent> {
    const { pool } = this.#options
    const content = new ChunkedContent()
    let slab = (this.#largeSlab ??= new Slab(await pool.takeSlab()))
    if (already && slab.room < already.length) slab = await this.#nextLargeSlab(slab, slab.filled)
    let chunkStart = slab.filled
    if (already) {
      slab.bytes.set(already, slab.filled)
      slab.filled += already.length
    }
    let size = already?.length ?? 0
    const cut = (to: number) => {
      content.add(slab.cut(chunkStart, to - chunkStart, ChunkKind.data), to - chunkStart)
      chunkStart = to
    }
    for (let ended = false, allowed = 0; !ended; ) {
      if (slab.room === 0) {
        slab = await this.#nextLargeSlab(slab, chunkStart)
        chunkStart = 0
        if (!isLive) await this.#options.room()
      }
      if (isLive && allowed <= 0) allowed = await this.#options.roomForPiece()
      const step = reader.read(
        slab.bytes.subarray(slab.filled, slab.filled + Math.min(READ_BYTES, slab.room)),
      )
      const got = typeof step === 'number' ? step : await step
      this.#countRead(got)
      allowed -= got
      slab.filled += got
      size += got
      ended = got === 0
      for (;;) {
        const to = this.#cutter.next(slab.bytes, chunkStart, slab.filled, ended)
        if (to < 0 || to === chunkStart) break
        cut(to)
      }
    }
    if (slab.room < AVERAGE_CHUNK_BYTES) this.#submitLarge()
    return { size, content }
  }

  /** Moves the bytes from `from` on, which are no chunk yet, into a new slab, and hands the old one over. */
  async #nextLargeSlab(slab: Slab, from: number): Promise<Slab> {
    const next = new Slab(await this.#options.pool.takeSlab())
    slab.bytes.copy(next.bytes, 0, from, slab.filled)
    next.filled = slab.filled - from
    this.#submit(slab)
    this.#largeSlab = next
    return next
  }

  #submitAll(): void {
    this.#endBundle()
    this.#submitBundles()
    this.#submitLarge()
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

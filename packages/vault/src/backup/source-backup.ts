import { hash } from 'node:crypto'
import { createCutter, type Gear } from '@pipe-backup/chunker'
import { chunkId } from '@pipe-backup/crypto'
import type { Entry, EntryReader, FileEntry, Reading, Source, SourceProblem } from '@pipe-backup/source'
import { ChunkKind } from '../chunk-codec.ts'
import type { ChunkIndex } from '../chunk-index.ts'
import { Extents } from '../extents.ts'
import { hasCode } from '../has-code.ts'
import type { ManifestEntry } from '../manifest-node.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import { BUNDLE_FILE_BYTES, BUNDLE_MOST_BYTES, bundleEndsAfter } from './bundle.ts'
import type { FileState } from './file-state.ts'
import { ManifestBuilder } from './manifest-builder.ts'
import { type PieceRef, Slab } from './slab.ts'

export const AVERAGE_CHUNK_BYTES: number = 1024 * 1024
export const LARGEST_CHUNK_BYTES: number = 4 * AVERAGE_CHUNK_BYTES
export const SLAB_BYTES: number = 2 * LARGEST_CHUNK_BYTES
/** A file that changes each time it is read is taken as it is after so many readings, and marked. */
const READINGS = 3
/** How much is asked of a large file at once. */
const READ_BYTES = 1024 * 1024
/** Nodes wait for a slab until they are worth one. */
const NODES_AT_ONCE_BYTES = 1024 * 1024
/** Entries that wait for a bundle to end; beyond that it is ended early. */
const MOST_WAITING = 16_384

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
  readonly onProblem: (problem: SourceProblem) => void
  readonly onRead: (bytes: number) => void
  readonly onEntry: () => void
  readonly signal?: AbortSignal
}

/** An entry whose bytes are on their way. Entries go into the manifest in order, so those behind it wait. */
interface Waiting {
  entry: ManifestEntry
  readonly pathHash: Buffer
  readonly extents: Extents
  refs: { ref: PieceRef; offset: number; length: number }[]
  resolved: number
  complete: boolean
  remember: Reading | undefined
}

/** One walk over a source: reads what changed, stores it, and builds the manifest. */
export class SourceBackup {
  readonly #options: SourceBackupOptions
  readonly #builder: ManifestBuilder
  readonly #cutter: ReturnType<typeof createCutter>
  readonly #pathPrefix: Buffer
  readonly #queue: Waiting[] = []
  #queueHead = 0
  #nodes: { bytes: Buffer; kind: ChunkKind }[] = []
  #nodeBytes = 0
  #bundleSlab: Slab | undefined
  #bundleStart = 0
  #bundleRefs: { waiting: Waiting; offset: number; length: number }[] = []
  #largeSlab: Slab | undefined
  readonly counts: SourceCounts = { entries: 0, bytes: 0, bytesRead: 0, problems: 0 }

  constructor(options: SourceBackupOptions) {
    this.#options = options
    this.#builder = new ManifestBuilder((node, kind) => this.#storeNode(node, kind))
    this.#cutter = createCutter({ gear: options.gear, averageBytes: AVERAGE_CHUNK_BYTES })
    this.#pathPrefix = Buffer.concat([options.pathKey, Buffer.from(`${options.source.name}\0`)])
  }

  /** @returns the id of the manifest's root @throws SourceError when the source as a whole failed */
  async run(): Promise<Uint8Array> {
    const { source, signal } = this.#options
    const onProblem = (problem: SourceProblem) => this.#problem(problem)
    for await (const entry of source.entries({ onProblem, ...(signal && { signal }) })) {
      await this.#take(entry)
      if (this.#nodeBytes >= NODES_AT_ONCE_BYTES) await this.#sendNodes()
      if (this.#queue.length - this.#queueHead > MOST_WAITING) this.#submitAll()
    }
    this.#submitAll()
    await this.#options.pool.idle()
    this.#drain()
    if (this.#queueHead < this.#queue.length) throw new Error('entries are left whose chunks never came')
    const root = this.#builder.finish()
    await this.#sendNodes()
    await this.#options.pool.idle()
    return root
  }

  async #take(entry: Entry): Promise<void> {
    const pathHash = hash('sha256', Buffer.concat([this.#pathPrefix, entry.path]), 'buffer').subarray(0, 16)
    if (entry.type !== 'file') {
      this.#enqueue({
        entry,
        pathHash,
        extents: new Extents(),
        refs: [],
        resolved: 0,
        complete: true,
        remember: undefined,
      })
      this.#drain()
      return
    }
    const known = this.#unchanged(entry, pathHash)
    if (known) {
      const { size, sparse } = entry
      const kept = {
        ...metadataOf(entry),
        type: 'file' as const,
        size: size ?? 0,
        sparse: sparse ?? false,
        content: { extents: known },
      }
      this.#enqueue({
        entry: kept,
        pathHash,
        extents: known,
        refs: [],
        resolved: 0,
        complete: true,
        remember: undefined,
      })
      this.#drain()
      return
    }
    await this.#options.room()
    await this.#read(entry, pathHash)
  }

  #unchanged(entry: FileEntry, pathHash: Buffer): Extents | undefined {
    const { state, index, mostlyDead } = this.#options
    if (entry.size === undefined || !entry.identity) return undefined
    const extents = state.unchanged(pathHash, entry.size, entry.mtimeNs, entry.identity)
    if (!extents) return undefined
    for (let i = 0; i < extents.count; i++) {
      const id = extents.id(i)
      if (!index.has(id)) return undefined
      if (mostlyDead.size > 0 && mostlyDead.has(id.toString('hex'))) return undefined
    }
    return extents
  }

  /** Reads a file until it held still for a whole reading, or would not. */
  async #read(entry: FileEntry, pathHash: Buffer): Promise<void> {
    const extents = new Extents()
    const base = {
      ...metadataOf(entry),
      type: 'file' as const,
      sparse: entry.sparse ?? false,
      size: 0,
      content: { extents },
    }
    const waiting: Waiting = {
      entry: base,
      pathHash,
      extents,
      refs: [],
      resolved: 0,
      complete: false,
      remember: undefined,
    }
    for (let reading = 1; ; reading++) {
      let result: { size: number; end: Reading }
      try {
        result = await this.#readOnce(entry, waiting)
      } catch (error) {
        if (hasCode(error, 'vanished') || hasCode(error, 'unreadable')) {
          this.#problem({
            code: hasCode(error, 'vanished') ? 'vanished' : 'unreadable',
            path: shown(entry.path),
            message: messageOf(error),
          })
          return
        }
        throw error
      }
      const { size, end } = result
      if (!end.steady && reading < READINGS) {
        waiting.refs = []
        continue
      }
      if (!end.steady) {
        this.#problem({
          code: 'changed',
          path: shown(entry.path),
          message: `changed each of the ${READINGS} times it was read; stored as it was read last`,
        })
      }
      waiting.entry = { ...base, size, mtimeNs: end.mtimeNs, unsteady: !end.steady }
      waiting.remember = end.steady ? end : undefined
      waiting.complete = true
      this.#enqueue(waiting)
      this.#drain()
      return
    }
  }

  async #readOnce(entry: FileEntry, waiting: Waiting): Promise<{ size: number; end: Reading }> {
    const reader = await entry.open()
    try {
      const small = entry.size !== undefined && entry.size < BUNDLE_FILE_BYTES
      const size = small ? await this.#readSmall(reader, waiting) : await this.#readLarge(reader, waiting)
      return { size, end: await reader.finish() }
    } finally {
      await reader.close()
    }
  }

  async #readSmall(reader: EntryReader, waiting: Waiting): Promise<number> {
    const slab = (this.#bundleSlab ??= new Slab(await this.#options.pool.takeSlab()))
    const start = slab.filled
    let at = start
    for (;;) {
      const step = reader.read(slab.bytes.subarray(at, start + BUNDLE_FILE_BYTES))
      const got = typeof step === 'number' ? step : await step
      this.#read1(got)
      if (got === 0) break
      at += got
      if (at === start + BUNDLE_FILE_BYTES)
        return this.#readLarge(reader, waiting, slab.bytes.subarray(start, at))
    }
    const size = at - start
    if (size === 0) return 0
    slab.filled = at
    this.#bundleRefs.push({ waiting, offset: start - this.#bundleStart, length: size })
    // A reading that turns out to have been unsteady leaves its bytes in the bundle, with nobody's name on them.
    waiting.refs = [{ ref: PENDING_BUNDLE, offset: start - this.#bundleStart, length: size }]
    if (bundleEndsAfter(slab.bytes.subarray(start, at), at - this.#bundleStart)) this.#endBundle()
    return size
  }

  #endBundle(): void {
    const slab = this.#bundleSlab
    if (!slab || slab.filled === this.#bundleStart) return
    const ref = slab.cut(this.#bundleStart, slab.filled - this.#bundleStart, ChunkKind.data)
    for (const { waiting, offset, length } of this.#bundleRefs) {
      const only = waiting.refs[0]
      if (only?.ref === PENDING_BUNDLE && only.offset === offset) waiting.refs = [{ ref, offset, length }]
    }
    this.#bundleRefs = []
    this.#bundleStart = slab.filled
    // The next bundle must fit, however it is cut: cuts depend on content, never on where a slab happens to end.
    if (slab.room < BUNDLE_MOST_BYTES + BUNDLE_FILE_BYTES) this.#submitBundles()
  }

  #submitBundles(): void {
    const slab = this.#bundleSlab
    if (!slab) return
    this.#bundleSlab = undefined
    this.#bundleStart = 0
    slab.submit(this.#options.pool, () => this.#drain())
  }

  async #readLarge(reader: EntryReader, waiting: Waiting, already?: Uint8Array): Promise<number> {
    const { pool } = this.#options
    let slab = (this.#largeSlab ??= new Slab(await pool.takeSlab()))
    if (already && slab.room < already.length) slab = await this.#nextLargeSlab(slab, slab.filled)
    let chunkStart = slab.filled
    if (already) {
      slab.bytes.set(already, slab.filled)
      slab.filled += already.length
    }
    let size = already?.length ?? 0
    const cut = (to: number) => {
      waiting.refs.push({
        ref: slab.cut(chunkStart, to - chunkStart, ChunkKind.data),
        offset: 0,
        length: to - chunkStart,
      })
      chunkStart = to
    }
    for (let ended = false; !ended; ) {
      if (slab.room === 0) {
        slab = await this.#nextLargeSlab(slab, chunkStart)
        chunkStart = 0
        await this.#options.room()
      }
      const step = reader.read(
        slab.bytes.subarray(slab.filled, slab.filled + Math.min(READ_BYTES, slab.room)),
      )
      const got = typeof step === 'number' ? step : await step
      this.#read1(got)
      slab.filled += got
      size += got
      ended = got === 0
      for (;;) {
        const to = this.#cutter.next(slab.bytes, chunkStart, slab.filled, ended)
        if (to < 0 || to === chunkStart) break
        cut(to)
      }
    }
    if (slab.room < AVERAGE_CHUNK_BYTES) {
      this.#largeSlab = undefined
      slab.submit(pool, () => this.#drain())
    }
    return size
  }

  /** Moves the bytes from `from` on, which are no chunk yet, into a new slab, and hands the old one over. */
  async #nextLargeSlab(slab: Slab, from: number): Promise<Slab> {
    const next = new Slab(await this.#options.pool.takeSlab())
    slab.bytes.copy(next.bytes, 0, from, slab.filled)
    next.filled = slab.filled - from
    slab.submit(this.#options.pool, () => this.#drain())
    this.#largeSlab = next
    return next
  }

  #submitAll(): void {
    this.#endBundle()
    this.#submitBundles()
    const large = this.#largeSlab
    this.#largeSlab = undefined
    large?.submit(this.#options.pool, () => this.#drain())
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting)
  }

  /** Moves entries from the head of the queue into the manifest, as far as their chunks have ids. */
  #drain(): void {
    for (; this.#queueHead < this.#queue.length; this.#queueHead++) {
      const head = this.#queue[this.#queueHead]
      if (!head) break
      for (; head.resolved < head.refs.length; head.resolved++) {
        const next = head.refs[head.resolved]
        if (!next?.ref.id) return
        head.extents.add(next.ref.id, next.offset, next.length)
      }
      this.#add(head)
    }
    if (this.#queueHead > 4096) {
      this.#queue.splice(0, this.#queueHead)
      this.#queueHead = 0
    }
  }

  #add(waiting: Waiting): void {
    const { index, state, onEntry } = this.#options
    const { entry, extents, pathHash, remember } = waiting
    for (let i = 0; i < extents.count; i++) {
      if (!index.markLive(extents.id(i), extents.length(i)))
        throw new Error('a chunk of an entry is not known')
    }
    this.#builder.add(entry, pathHash.readUInt32LE(0))
    this.counts.entries++
    if (entry.type === 'file') this.counts.bytes += entry.size
    if (entry.type === 'file' && remember?.identity) {
      state.remember(pathHash, entry.size, remember.mtimeNs, remember.identity, extents)
    }
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

  #read1(bytes: number): void {
    this.counts.bytesRead += bytes
    this.#options.onRead(bytes)
  }

  #problem(problem: SourceProblem): void {
    if (problem.code !== 'skipped') this.counts.problems++
    this.#options.onProblem(problem)
  }
}

/** Stands for a bundle that has not ended yet. */
const PENDING_BUNDLE: PieceRef = { id: undefined }

function metadataOf(
  entry: FileEntry,
): Pick<FileEntry, 'path' | 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtimeNs'> {
  const { path, mode, uid, gid, user, group, mtimeNs } = entry
  return { path, mode, uid, gid, user, group, mtimeNs }
}

function shown(path: Uint8Array): string {
  return Buffer.from(path).toString()
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

import type { Gear } from '@pipe-backup/chunker'
import type { Entry, FileEntry, Reading, Source, SourceProblem } from '@pipe-backup/source'
import type { Extents } from '../format/extents.ts'
import { hasCode } from '../has-code.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { BUNDLE_FILE_BYTES } from './bundle.ts'
import { unpackUses } from './chunk-uses.ts'
import { ContentWriter } from './content-writer.ts'
import { EntryQueue, type FileContent, type QueuedEntry } from './entry-queue.ts'
import type { FileState, KnownFile } from './file-state.ts'
import { type KnownLeaf, KnownLeaves } from './known-leaves.ts'
import { type EndedLeaf, isLeafEnd, ManifestBuilder } from './manifest-builder.ts'
import { NodeWriter } from './node-writer.ts'
import { leadOf, PathHash, stateKey } from './path-hash.ts'

/** A file that changes each time it is read is taken as it is after so many readings, and marked. */
const READINGS = 3
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
  readonly onEntries: (count: number) => void
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
  readonly #queue = new EntryQueue(
    (entry, extents) => this.#add(entry, extents),
    (leaf) => this.#addLeaf(leaf),
  )
  readonly #leaves: KnownLeaves
  /** Entries since one that ends a leaf. */
  #sinceLeafEnd = 0
  readonly #nodes: NodeWriter
  readonly counts: SourceCounts = { entries: 0, bytes: 0, bytesRead: 0, problems: 0 }

  constructor(options: SourceBackupOptions) {
    this.#options = options
    this.#nodes = new NodeWriter(options)
    this.#builder = new ManifestBuilder((node, kind) => this.#nodes.store(node, kind))
    this.#content = new ContentWriter({
      ...options,
      onRead: (bytes) => this.#countRead(bytes),
      onStored: () => this.#queue.drain(),
    })
    this.#paths = new PathHash(options.pathKey, options.source.name)
    this.#leaves = new KnownLeaves(options)
  }

  /** @returns the id of the manifest's root @throws SourceError when the source as a whole failed */
  async run(): Promise<Uint8Array> {
    const { source, pool, room, signal } = this.#options
    const onProblem = (problem: SourceProblem) => this.#problem(problem)
    for await (const entry of source.entries({ onProblem, signal })) {
      await this.#take(entry)
      if (this.#nodes.isWorthSending) {
        // Links and directories alone can make more nodes than the window holds.
        await room()
        await this.#nodes.send()
      }
      if (this.#queue.length > MAX_WAITING) {
        this.#content.submitAll()
        await pool.idle()
      }
    }
    await this.#takeHeld()
    this.#content.submitAll()
    await pool.idle()
    if (this.#queue.length > 0) throw new Error('entries are left whose chunks never came')
    const root = this.#builder.finish()
    await this.#nodes.send()
    await pool.idle()
    return root
  }

  /** After `run` has failed: gives the memory back, and stores the nodes that the index counts on already. */
  async abandon(): Promise<void> {
    const { pool } = this.#options
    this.#content.submitAll()
    await pool.idle()
    await this.#nodes.send()
    await pool.idle()
  }

  async #take(entry: Entry): Promise<void> {
    const leaves = this.#leaves
    let pathHash: string | undefined
    if (!leaves.isHolding) {
      pathHash = this.#paths.of(entry.path)
      if (this.#sinceLeafEnd > 0 || this.#options.isForced || !leaves.begin(pathHash))
        return this.#takeOne(entry, pathHash)
    }
    const found = leaves.offer(entry)
    if (found === 'held') return
    if (found !== 'other') {
      this.#options.onUnchanged(found.bytes)
      this.#queue.push(found)
      return
    }
    await this.#takeHeld()
    // It may be the first of another leaf itself.
    if (pathHash === undefined) await this.#take(entry)
    else await this.#takeOne(entry, pathHash)
  }

  /** Entries that began like a known leaf, and did not go on like it. */
  async #takeHeld(): Promise<void> {
    for (const entry of this.#leaves.release()) await this.#takeOne(entry, this.#paths.of(entry.path))
  }

  async #takeOne(entry: Entry, pathHash: string): Promise<void> {
    this.#sinceLeafEnd = isLeafEnd(this.#sinceLeafEnd + 1, leadOf(pathHash)) ? 0 : this.#sinceLeafEnd + 1
    const queued = { entry, pathHash, size: 0, mtimeNs: entry.mtimeNs, unsteady: false, isRead: false }
    if (entry.type !== 'file') {
      this.#queue.push(queued)
      return
    }
    const known = this.#unchanged(entry, pathHash)
    if (known) {
      const { extents, attributes } = known
      this.#options.onUnchanged(entry.size ?? 0)
      const { size = 0, identity } = entry
      this.#queue.push({ ...queued, size, identity, attributes, content: { extents: () => extents } })
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
      const read = { entry, pathHash, content, size, mtimeNs, unsteady: !steady, isRead: true }
      this.#queue.push({ ...read, identity, attributes })
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
    const { index, state, onEntries } = this.#options
    const { entry, pathHash, size, mtimeNs, unsteady, identity, attributes } = queued
    this.#leaves.build(entry, pathHash, size, mtimeNs, identity)
    let ended: EndedLeaf | undefined
    if (entry.type === 'file' && extents) {
      for (let i = 0; i < extents.count; i++) {
        if (!index.markLive(extents.id(i), extents.length(i)))
          throw new Error('a chunk of an entry is not known')
      }
      const { path, mode, uid, gid, user, group, sparse = false } = entry
      const content = { extents }
      const metadata = { type: 'file', path, mode, uid, gid, user, group, mtimeNs, attributes } as const
      ended = this.#builder.add({ ...metadata, size, sparse, unsteady, content }, leadOf(pathHash))
      this.counts.bytes += size
      if (identity && queued.isRead)
        state.remember(stateKey(pathHash), size, mtimeNs, identity, { extents, attributes })
    } else if (entry.type !== 'file') ended = this.#builder.add(entry, leadOf(pathHash))
    if (ended) this.#leaves.end(ended)
    this.counts.entries++
    onEntries(1)
  }

  #addLeaf(leaf: KnownLeaf): void {
    const { index, onEntries } = this.#options
    const { id, uses, entries, bytes } = leaf
    index.markLive(id, 0)
    for (const [chunk, usedBytes] of unpackUses(uses)) index.markLive(chunk, usedBytes)
    if (this.#builder.addLeaf(leaf)) this.#leaves.end()
    this.counts.entries += entries
    this.counts.bytes += bytes
    onEntries(entries)
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

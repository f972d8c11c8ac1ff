import type { Attribute, Entry, FileIdentity } from '@pipe-backup/source'
import { Extents } from '../format/extents.ts'
import type { KnownLeaf } from './known-leaves.ts'
import type { PieceRef } from './slab.ts'

/** Where a file's bytes are going to be. */
export interface FileContent {
  /** The file's extents, or undefined while a chunk of it has no id yet. Valid until the next call of any. */
  extents(): Extents | undefined
}

/** A file of a hundred bytes must not cost a table of its own while it waits. */
const single = new Extents()

/** A part of a bundle. */
export class BundledContent implements FileContent {
  readonly #bundle: PieceRef
  readonly #offset: number
  readonly #length: number

  constructor(bundle: PieceRef, offset: number, length: number) {
    this.#bundle = bundle
    this.#offset = offset
    this.#length = length
  }

  extents(): Extents | undefined {
    const { id } = this.#bundle
    if (!id) return undefined
    single.clear()
    single.add(id, this.#offset, this.#length)
    return single
  }
}

/** Chunks of its own, one after the other. Those whose ids are known take 40 bytes each: a terabyte has a million. */
export class ChunkedContent implements FileContent {
  readonly #extents = new Extents()
  readonly #pending: { readonly ref: PieceRef; readonly length: number }[] = []

  add(ref: PieceRef, length: number): void {
    this.extents()
    this.#pending.push({ ref, length })
  }

  extents(): Extents | undefined {
    const pending = this.#pending
    let known = 0
    for (; known < pending.length; known++) {
      const next = pending[known]
      if (!next?.ref.id) break
      this.#extents.add(next.ref.id, 0, next.length)
    }
    if (known > 0) pending.splice(0, known)
    return pending.length === 0 ? this.#extents : undefined
  }
}

/** An entry on its way into the manifest, and what was found out about it by reading. */
export interface QueuedEntry {
  readonly entry: Entry
  /** Keyed hash of the path: 16 bytes, one character each. */
  readonly pathHash: string
  /** Of files alone. */
  readonly content?: FileContent | undefined
  readonly size: number
  readonly mtimeNs: bigint
  readonly unsteady: boolean
  /** Of files: of others the entry has them. */
  readonly attributes?: readonly Attribute[] | undefined
  /** Of a file that held still, or was not read as it has not changed. */
  readonly identity?: FileIdentity | undefined
  /** Whether it was read: it is to be remembered for the next run. */
  readonly isRead: boolean
}

/**
 * Entries in order. They go into the manifest in that order, so those behind one whose chunks have no ids yet wait. Few and
 * flat objects each: what a hundred thousand of them leave behind is the garbage of a run.
 */
export class EntryQueue {
  readonly #onReady: (entry: QueuedEntry, extents: Extents | undefined) => void
  readonly #onLeaf: (leaf: KnownLeaf) => void
  readonly #entries: (QueuedEntry | KnownLeaf)[] = []
  #head = 0

  /** @param onReady - given the entries in order; the extents, of files alone, are valid during the call @param onLeaf - the same for whole leaves */
  constructor(
    onReady: (entry: QueuedEntry, extents: Extents | undefined) => void,
    onLeaf: (leaf: KnownLeaf) => void,
  ) {
    this.#onReady = onReady
    this.#onLeaf = onLeaf
  }

  get length(): number {
    return this.#entries.length - this.#head
  }

  push(entry: QueuedEntry | KnownLeaf): void {
    this.#entries.push(entry)
    this.drain()
  }

  /** To be called when chunks have got their ids. */
  drain(): void {
    for (; this.#head < this.#entries.length; this.#head++) {
      const entry = this.#entries[this.#head]
      if (!entry) break
      if ('uses' in entry) {
        this.#onLeaf(entry)
        continue
      }
      const extents = entry.content?.extents()
      if (entry.content && !extents) break
      this.#onReady(entry, extents)
    }
    if (this.#head < 1024 && this.#head < this.#entries.length) return
    this.#entries.splice(0, this.#head)
    this.#head = 0
  }
}

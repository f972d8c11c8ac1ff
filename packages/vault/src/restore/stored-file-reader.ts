import type { EntryReader, Reading } from '@pipe-backup/source'
import { copyBytes } from '../copy-bytes.ts'
import { Extents } from '../format/extents.ts'
import type { ManifestEntry } from '../format/manifest-node.ts'
import { VaultError } from '../vault-error.ts'
import type { ReadAhead } from './read-ahead.ts'
import { type ReadsChunks, walkExtents } from './walk-manifest.ts'

/** A file as a manifest has it. */
export type StoredFile = Extract<ManifestEntry, { type: 'file' }>

/** Reads a file's extents one after the other. */
export class StoredFileReader implements EntryReader {
  readonly #ahead: ReadAhead
  readonly #entry: StoredFile
  /** Of a file whose extents are not in its entry. */
  readonly #batches: AsyncIterator<Extents> | undefined
  #extents: Extents
  /** The extent that is being read, and how much of it has been. */
  #at = 0
  #done = 0
  #bytes = 0

  constructor(chunks: ReadsChunks, ahead: ReadAhead, entry: StoredFile) {
    this.#ahead = ahead
    this.#entry = entry
    const { content } = entry
    const isInline = 'extents' in content
    this.#extents = isInline ? content.extents : new Extents()
    this.#batches = isInline ? undefined : walkExtents(chunks, content)[Symbol.asyncIterator]()
  }

  read(into: Uint8Array): number | Promise<number> {
    while (this.#at < this.#extents.count && this.#done === this.#extents.length(this.#at)) {
      this.#at++
      this.#done = 0
    }
    if (this.#at < this.#extents.count) {
      const plain = this.#ahead.opened(this.#extents.id(this.#at))
      return plain ? this.#copy(plain, into) : this.#load(into)
    }
    return this.#batches ? this.#more(this.#batches, into) : this.#atEnd()
  }

  async #load(into: Uint8Array): Promise<number> {
    const id = this.#extents.id(this.#at)
    for (;;) {
      const plain = (await this.#ahead.load(id)) ?? this.#ahead.opened(id)
      if (plain) return this.#copy(plain, into)
    }
  }

  async #more(batches: AsyncIterator<Extents>, into: Uint8Array): Promise<number> {
    const step = await batches.next()
    if (step.done) return this.#atEnd()
    this.#extents = step.value
    this.#at = 0
    this.#done = 0
    return await this.read(into)
  }

  #copy(plain: Uint8Array, into: Uint8Array): number {
    const offset = this.#extents.offset(this.#at)
    const end = offset + this.#extents.length(this.#at)
    if (end > plain.length)
      throw new VaultError('corrupt', `${this.#path()} uses more of a chunk than there is`)
    const from = offset + this.#done
    const length = Math.min(into.length, end - from)
    copyBytes(plain.subarray(from, from + length), into)
    this.#done += length
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

  close(): void | Promise<void> {
    if (this.#batches) return this.#end(this.#batches)
  }

  async #end(batches: AsyncIterator<Extents>): Promise<void> {
    await batches.return?.()
  }
}

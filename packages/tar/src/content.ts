import { type EntryReader, type Reading, SourceError } from '@pipe-backup/source'
import type { ByteInput } from './byte-input.ts'
import type { SparseMap } from './sparse-map.ts'
import { shown, TarError } from './tar-error.ts'
import { paddingOf } from './ustar-header.ts'

/** The bytes of the entry that the archive is at. They can be read once, or passed over. */
export class Content {
  readonly #input: ByteInput
  readonly #path: Uint8Array
  readonly #map: SparseMap | undefined
  readonly #padding: number
  /** Stored bytes that have not been read. */
  #left: number
  /** Where in the file the next byte belongs. */
  #at = 0
  #segment = 0
  #state: 'unread' | 'open' | 'passed' = 'unread'

  /** @param stored - bytes in the archive, without padding and without a map of holes that came first */
  constructor(input: ByteInput, path: Uint8Array, stored: number, map?: SparseMap) {
    this.#input = input
    this.#path = path
    this.#map = map
    this.#left = stored
    this.#padding = paddingOf(stored)
  }

  /** @throws SourceError `unreadable` when it has been opened before, or passed */
  open(mtimeNs: bigint): EntryReader {
    if (this.#state !== 'unread') throw this.#gone()
    this.#state = 'open'
    return new ContentReader(this, mtimeNs)
  }

  read(into: Uint8Array): number | Promise<number> {
    if (this.#state !== 'open') throw this.#gone()
    const map = this.#map
    if (!map) return this.#readStored(into, this.#left)
    let start = map.segments[this.#segment] ?? map.size
    let length = map.segments[this.#segment + 1] ?? 0
    while (this.#at >= start + length && this.#segment < map.segments.length) {
      this.#segment += 2
      start = map.segments[this.#segment] ?? map.size
      length = map.segments[this.#segment + 1] ?? 0
    }
    if (this.#at >= start) return this.#readStored(into, start + length - this.#at)
    const zeros = Math.min(into.length, start - this.#at)
    into.fill(0, 0, zeros)
    this.#at += zeros
    return zeros
  }

  /** Goes behind the entry's last byte, however many have been read. @throws TarError `truncated` */
  async pass(): Promise<void> {
    this.#state = 'passed'
    const bytes = this.#left + this.#padding
    this.#left = 0
    if ((await this.#input.skip(bytes)) < bytes) throw this.#truncated()
  }

  #readStored(into: Uint8Array, most: number): number | Promise<number> {
    const bytes = Math.min(into.length, most)
    if (bytes === 0) return 0
    const got = this.#input.readAtHand(bytes < into.length ? into.subarray(0, bytes) : into)
    if (got === 0) return this.#wait(into)
    this.#left -= got
    this.#at += got
    return got
  }

  async #wait(into: Uint8Array): Promise<number> {
    if (!(await this.#input.more())) throw this.#state === 'open' ? this.#truncated() : this.#gone()
    return this.read(into)
  }

  #truncated(): TarError {
    return new TarError('truncated', `the archive ends in the middle of ${shown(this.#path)}`, {
      path: Buffer.from(this.#path).toString(),
      hint: 'It was cut short; what came before is whole.',
    })
  }

  #gone(): SourceError {
    return new SourceError(
      'unreadable',
      `${shown(this.#path)} in an archive can be read once, before the next entry`,
      { path: Buffer.from(this.#path).toString() },
    )
  }
}

class ContentReader implements EntryReader {
  readonly #content: Content
  readonly #mtimeNs: bigint

  constructor(content: Content, mtimeNs: bigint) {
    this.#content = content
    this.#mtimeNs = mtimeNs
  }

  read(into: Uint8Array): number | Promise<number> {
    return this.#content.read(into)
  }

  finish(): Reading {
    return { steady: true, mtimeNs: this.#mtimeNs }
  }

  close(): void {
    // What has not been read is passed over when the next entry is asked for.
  }
}

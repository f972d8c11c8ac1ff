import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'
import { openIndex } from '../format/index-object.ts'
import { decodeFooterContent, footerBytes, type PackChunk, packKey } from '../format/pack-format.ts'
import { mapAhead } from '../map-ahead.ts'
import { hashOfId, IdTable } from '../store/id-table.ts'
import { INDEXES_AHEAD } from '../store/load-index.ts'
import { readPackFooter } from '../store/read-pack-footer.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { VaultError } from '../vault-error.ts'

/** Where a chunk is: packs by name, and the chunk in that pack. */
export interface ChunkLocation {
  readonly pack: string
  readonly chunk: PackChunk
}

/** Of a footer (docs/format.md section 5): its head, an entry, and where an entry's id is. */
const HEAD_BYTES = 20
const ENTRY_BYTES = 47
const ID_AT = 15
const FOOTERS_AT_ONCE = 8

interface LocatedPack {
  readonly name: string
  readonly footer: Buffer
  /** The number of its first chunk among those of all packs. */
  readonly first: number
}

/** Where the chunks of some packs are: footers as they are, and a table that points into them, 55 bytes a chunk. */
export class ChunkLocations {
  readonly #packs: LocatedPack[] = []
  readonly #sizes = new Map<string, number>()
  readonly #table = new IdTable((number) => {
    const { footer, at } = this.#entry(number)
    return hashOfId(footer, at + ID_AT)
  })

  add(name: string, footer: Uint8Array): void {
    const bytes = Buffer.from(footer.buffer, footer.byteOffset, footer.length)
    const count = bytes.readUInt32LE(16)
    this.#packs.push({ name, footer: bytes, first: this.#table.size })
    let chunksEnd = 0
    for (let i = 0; i < count; i++) {
      const at = HEAD_BYTES + i * ENTRY_BYTES
      chunksEnd = Math.max(chunksEnd, bytes.readUInt32LE(at + 3) + bytes.readUInt32LE(at + 7))
      this.#table.add()
    }
    this.#sizes.set(name, chunksEnd + footerBytes(count))
  }

  /** How long a pack is, by its footer. */
  packBytes(name: string): number {
    return this.#sizes.get(name) ?? 0
  }

  /** All the packs, and the contents of their footers. */
  packs(): readonly { readonly name: string; readonly footer: Uint8Array }[] {
    return this.#packs
  }

  /** Every location where the chunk is stored. */
  find(id: Uint8Array): ChunkLocation[] {
    const found: ChunkLocation[] = []
    for (const number of this.#table.mayHave(id)) {
      const { name, footer, at } = this.#entry(number)
      if (footer.compare(id, 0, CHUNK_ID_BYTES, at + ID_AT, at + ENTRY_BYTES) !== 0) continue
      const entry = Buffer.alloc(HEAD_BYTES + ENTRY_BYTES)
      entry.writeUInt32LE(1, 16)
      footer.copy(entry, HEAD_BYTES, at, at + ENTRY_BYTES)
      const chunk = decodeFooterContent(entry).chunks[0]
      if (chunk) found.push({ pack: name, chunk })
    }
    return found
  }

  /** The pack of a chunk, by the chunk's number, and where its entry is in the footer. */
  #entry(number: number): { readonly name: string; readonly footer: Buffer; readonly at: number } {
    let [low, high] = [0, this.#packs.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#packs[middle]?.first ?? 0) <= number) low = middle
      else high = middle - 1
    }
    const pack = this.#packs[low]
    if (!pack) throw new RangeError(`there is no chunk ${number}`)
    const { name, footer, first } = pack
    return { name, footer, at: HEAD_BYTES + (number - first) * ENTRY_BYTES }
  }
}

export interface LocateOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  readonly packs: ReadonlySet<string>
  /** Keys of index objects that are not to be believed. */
  readonly distrusted?: ReadonlySet<string> | undefined
  readonly onProblem: (error: Error) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Learns where the chunks of these packs are: from the index objects, and from the footers of packs that no index lists.
 * @throws VaultError `missing` when a pack can't be found out about from any sink; its files would be lost
 */
export async function locateChunks(options: LocateOptions): Promise<ChunkLocations> {
  const { sinks, keys, packs, onProblem, signal } = options
  const locations = new ChunkLocations()
  const left = new Set(packs)
  const read = new Set<string>(options.distrusted)
  for (const sink of sinks) {
    if (left.size === 0) break
    try {
      const listed = await Array.fromAsync(listObjects(sink, 'index/', signal))
      const fetched = mapAhead(
        listed.filter(({ key }) => !read.has(key)),
        async ({ key }) => ({ key, got: (await Promise.allSettled([getObject(sink, key, signal)]))[0] }),
        INDEXES_AHEAD,
      )
      for await (const { key, got } of fetched) {
        try {
          if (got.status === 'rejected') throw got.reason
          for (const { name, footer } of openIndex(keys, key, got.value)) {
            if (!left.has(name)) continue
            decodeFooterContent(footer)
            locations.add(name, footer)
            left.delete(name)
          }
          read.add(key)
        } catch (error) {
          signal?.throwIfAborted()
          onProblem(toError(error))
        }
        if (left.size === 0) break
      }
    } catch (error) {
      signal?.throwIfAborted()
      onProblem(toError(error))
    }
  }
  for (const name of left) {
    const footer = await footerFromAny(name, options)
    if (footer) locations.add(name, footer)
    else
      onProblem(
        new VaultError('missing', `${packKey(name)} is on no sink, or damaged on each`, {
          key: packKey(name),
        }),
      )
  }
  return locations
}

/** Adds what the footers of these packs say, where an index has said something else. */
export async function relocateChunks(locations: ChunkLocations, options: LocateOptions): Promise<void> {
  const known = new Map(locations.packs().map(({ name, footer }) => [name, footer]))
  await forEachLimited(options.packs, FOOTERS_AT_ONCE, async (name) => {
    const footer = await footerFromAny(name, options)
    if (!footer || Buffer.compare(footer, known.get(name) ?? Buffer.of()) === 0) return
    locations.add(name, footer)
    const key = packKey(name)
    options.onProblem(new VaultError('corrupt', `what an index says of ${key} is false`, { key }))
  })
}

async function footerFromAny(
  name: string,
  { sinks, keys, onProblem, signal }: LocateOptions,
): Promise<Uint8Array | undefined> {
  for (const sink of sinks) {
    try {
      const info = await sink.head(packKey(name), { signal })
      if (!info) continue
      const footer = await readPackFooter(sink, name, info.sizeBytes, keys, signal)
      decodeFooterContent(footer)
      return footer
    } catch (error) {
      signal?.throwIfAborted()
      onProblem(toError(error))
    }
  }
  return undefined
}

import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { openIndex } from '../format/index-object.ts'
import {
  decodeFooterContent,
  footerBytes,
  MAX_PACK_CHUNKS,
  type PackChunk,
  packKey,
} from '../format/pack-format.ts'
import { readPackFooter } from '../store/read-pack-footer.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { VaultError } from '../vault-error.ts'

/** Where a chunk is: packs by name, and the chunk in that pack. */
export interface ChunkLocation {
  readonly pack: string
  readonly chunk: PackChunk
}

const ENTRY_BYTES = 47
const FOOTERS_AT_ONCE = 8

/**
 * Where the chunks of some packs are. Footers stay as bytes, and a sorted table points into them: a million chunks are a hundred
 * megabytes of footers and table, not a gigabyte of objects.
 */
export class ChunkLocations {
  readonly #packs: { name: string; footer: Buffer }[] = []
  readonly #byPrefix = new Map<number, number[]>()
  readonly #sizes = new Map<string, number>()

  add(name: string, footer: Uint8Array): void {
    const pack =
      this.#packs.push({ name, footer: Buffer.from(footer.buffer, footer.byteOffset, footer.length) }) - 1
    const bytes = this.#packs[pack]?.footer ?? Buffer.alloc(0)
    const count = bytes.readUInt32LE(16)
    let chunksEnd = 0
    for (let i = 0; i < count; i++) {
      const at = 20 + i * ENTRY_BYTES
      chunksEnd = Math.max(chunksEnd, bytes.readUInt32LE(at + 3) + bytes.readUInt32LE(at + 7))
      const prefix = bytes.readUInt32LE(at + 15)
      // Two numbers in one.
      const slot = pack * MAX_PACK_CHUNKS + i
      const known = this.#byPrefix.get(prefix)
      if (known) known.push(slot)
      else this.#byPrefix.set(prefix, [slot])
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
    const wanted = Buffer.from(id.buffer, id.byteOffset, id.length)
    const found: ChunkLocation[] = []
    for (const slot of this.#byPrefix.get(wanted.readUInt32LE(0)) ?? []) {
      const pack = this.#packs[Math.floor(slot / MAX_PACK_CHUNKS)]
      const at = 20 + (slot % MAX_PACK_CHUNKS) * ENTRY_BYTES
      if (!pack || wanted.compare(pack.footer, at + 15, at + 47) !== 0) continue
      const entry = Buffer.alloc(20 + ENTRY_BYTES)
      entry.writeUInt32LE(1, 16)
      pack.footer.copy(entry, 20, at, at + ENTRY_BYTES)
      const chunk = decodeFooterContent(entry).chunks[0]
      if (chunk) found.push({ pack: pack.name, chunk })
    }
    return found
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
      for await (const { key } of listObjects(sink, 'index/', signal)) {
        if (left.size === 0) break
        if (read.has(key)) continue
        try {
          for (const pack of openIndex(keys, key, await getObject(sink, key, signal))) {
            if (!left.has(pack.name)) continue
            decodeFooterContent(pack.footer)
            locations.add(pack.name, pack.footer)
            left.delete(pack.name)
          }
          read.add(key)
        } catch (error) {
          signal?.throwIfAborted()
          onProblem(toError(error))
        }
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

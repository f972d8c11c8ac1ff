import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { packKey } from '../format/pack-format.ts'
import { derivedKeys } from '../format/vault-host.ts'
import { StoredPackProver } from '../store/prove-stored-pack.ts'
import { VaultError } from '../vault-error.ts'
import { ByteCache } from './byte-cache.ts'
import type { ChunkLocation, ChunkLocations } from './chunk-locations.ts'
import { PackReader } from './pack-reader.ts'
import { ReadAhead } from './read-ahead.ts'

/** Nodes of manifests, and what is not read ahead. */
const CHUNK_CACHE_BYTES = 8 * 1024 * 1024

export interface ChunkReaderOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  readonly locations: ChunkLocations
  /** Asked once, when a chunk is unrecoverable that is known: adds other packs to the locations. */
  readonly locateMore?: (() => Promise<void>) | undefined
  /** Asked once, when the locations are seen to be false: adds what the packs themselves say, where it is something else. */
  readonly locateAgain?: (() => Promise<void>) | undefined
  /** Called with each object that a sink did not have whole, and of each sink that did not answer. */
  readonly onProblem: (error: Error) => void
  readonly slowAfterMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads chunks from whichever sink has them whole. What it gives has been proven by the chunk's id. */
export class ChunkReader {
  readonly #options: ChunkReaderOptions
  readonly #nodeIdKey: Uint8Array
  readonly #packs: PackReader
  readonly #chunks = new ByteCache(CHUNK_CACHE_BYTES)
  #more: Promise<void> | undefined
  #relocated: Promise<void> | undefined

  static async open(options: ChunkReaderOptions): Promise<ChunkReader> {
    const { nodeIdKey } = await derivedKeys(options.keys)
    return new ChunkReader(options, nodeIdKey)
  }

  private constructor(options: ChunkReaderOptions, nodeIdKey: Uint8Array) {
    this.#options = options
    this.#nodeIdKey = nodeIdKey
    this.#packs = new PackReader({ ...options, nodeIdKey })
  }

  /** The plain bytes of a chunk. Valid for as long as they are held; not to be written to. @throws VaultError `missing`, `unanswered` */
  async read(id: Uint8Array): Promise<Uint8Array> {
    const name = Buffer.from(id).toString('latin1')
    const cached = this.#chunks.get(name)
    if (cached) return cached
    const { locations, locateMore, locateAgain } = this.#options
    const found = locations.find(id)
    let plain = await this.#readFromAny(found)
    if (!plain && locateMore) {
      this.#more ??= locateMore()
      await this.#more
      plain = await this.#readFromAny(locations.find(id).slice(found.length))
    }
    if (!plain && locateAgain) {
      const known = locations.find(id)
      if (this.#relocated || !(await this.#areDamaged(known))) {
        this.#relocated ??= locateAgain()
        await this.#relocated
        plain = await this.#readFromAny(locations.find(id).slice(known.length))
      }
    }
    if (plain) {
      this.#chunks.set(name, plain)
      return plain
    }
    throw this.#notRead(found)
  }

  /** Reads ahead of who restores files; to be disposed of. */
  readAhead(): ReadAhead {
    const { keys, locations, signal } = this.#options
    const opening = { idKey: Uint8Array.from(keys.idKey), nodeIdKey: Uint8Array.from(this.#nodeIdKey) }
    return new ReadAhead({ chunks: this, packs: this.#packs, locations, keys: opening, signal })
  }

  #notRead(found: readonly ChunkLocation[]): VaultError {
    const away = found.find(({ pack }) => this.#packs.isUnanswered(pack))
    if (away) {
      const key = packKey(away.pack)
      const hint = 'Do the same again when each sink answers.'
      return new VaultError('unanswered', `a chunk of ${key} is intact on no sink that answers`, {
        key,
        hint,
      })
    }
    const key = found[0] && packKey(found[0].pack)
    const hint = 'Run `pipe-backup verify`, and bring back any sink that is away.'
    return new VaultError(
      'missing',
      key ? `a chunk of ${key} is intact on no sink` : 'a chunk is in no pack that can be found',
      { ...(key && { key }), hint },
    )
  }

  /** Whether damage explains that a chunk is in none of these locations: a pack that is whole, and does not have it there, was listed falsely. */
  async #areDamaged(found: readonly ChunkLocation[]): Promise<boolean> {
    const { sinks, signal } = this.#options
    for (const { pack: name } of found) {
      for (const sink of sinks) {
        const proof = await new StoredPackProver(sink).prove(name, signal).catch(() => undefined)
        signal?.throwIfAborted()
        if (proof?.isWhole) return false
      }
    }
    return found.length > 0
  }

  async #readFromAny(found: readonly ChunkLocation[]): Promise<Uint8Array | undefined> {
    for (const location of found) {
      const packBytes = this.#options.locations.packBytes(location.pack)
      for (const sink of this.#packs.sinks) {
        const plain = await this.#packs.readFrom(sink, location, packBytes)
        if (plain) return plain
      }
    }
    return undefined
  }
}

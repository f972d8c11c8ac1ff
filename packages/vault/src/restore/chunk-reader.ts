import { chunkId, openSealed, type VaultKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { ChunkKind, unsealChunk } from '../format/chunk-codec.ts'
import { packKey, runKeyId } from '../format/pack-format.ts'
import { derivedKeys } from '../format/vault-host.ts'
import { hasCode } from '../has-code.ts'
import { damageOf } from '../store/damage.ts'
import { StoredPackProver } from '../store/prove-stored-pack.ts'
import { readPackHeader } from '../store/read-pack-header.ts'
import { getObject } from '../store/read-sink.ts'
import { VaultError } from '../vault-error.ts'
import { ByteCache } from './byte-cache.ts'
import type { ChunkLocation, ChunkLocations } from './chunk-locations.ts'

/** Whole packs that are kept: a restore goes through them in about the order in which they were written. */
const PACK_CACHE_BYTES = 160 * 1024 * 1024
const CHUNK_CACHE_BYTES = 32 * 1024 * 1024
/** A pack is fetched whole from its second chunk on; larger ones never. */
const WHOLE_PACK_BYTES = 64 * 1024 * 1024

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
  readonly signal?: AbortSignal | undefined
}

/** Reads chunks from whichever sink has them whole. What it gives has been proven by the chunk's id. */
export class ChunkReader {
  readonly #options: ChunkReaderOptions
  readonly #nodeIdKey: Uint8Array
  readonly #packs = new ByteCache(PACK_CACHE_BYTES)
  readonly #chunks = new ByteCache(CHUNK_CACHE_BYTES)
  readonly #uses = new Map<string, number>()
  /** By sink and pack: nothing vouches for a header, and what one sink says of it must not be believed of another's. */
  readonly #runKeys = new Map<string, readonly Uint8Array[]>()
  readonly #opened = new Map<string, Uint8Array>()
  readonly #reported = new Set<string>()
  /** Packs that a sink lacks, or did not give when it was asked: not asked again. */
  readonly #bad = new Set<string>()
  /** Of these, the packs that a sink which did not answer may have whole. */
  readonly #unanswered = new Set<string>()
  #more: Promise<void> | undefined
  #relocated: Promise<void> | undefined

  static async open(options: ChunkReaderOptions): Promise<ChunkReader> {
    return new ChunkReader(options, (await derivedKeys(options.keys)).nodeIdKey)
  }

  private constructor(options: ChunkReaderOptions, nodeIdKey: Uint8Array) {
    this.#options = options
    this.#nodeIdKey = nodeIdKey
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

  #notRead(found: readonly ChunkLocation[]): VaultError {
    const away = found.find(({ pack }) => this.#unanswered.has(pack))
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
      for (const sink of this.#options.sinks) {
        const plain = await this.#readFrom(sink, location)
        if (plain) return plain
      }
    }
    return undefined
  }

  async #readFrom(sink: Sink, location: ChunkLocation): Promise<Uint8Array | undefined> {
    const key = packKey(location.pack)
    const where = `${sink.name}\n${location.pack}`
    if (this.#bad.has(where)) return undefined
    const { signal } = this.#options
    try {
      const { chunk } = location
      const pack = await this.#wholePack(sink, location.pack, key)
      const sealed = pack
        ? pack.subarray(chunk.offset, chunk.offset + chunk.length)
        : await sink.get(key, { offset: chunk.offset, length: chunk.length, signal })
      const runKey = await this.#runKey(sink, location, pack, where)
      const plain = unsealChunk(runKey, chunk.kind, chunk.id, sealed, chunk.rawLength)
      const idKey = chunk.kind === ChunkKind.data ? this.#options.keys.idKey : this.#nodeIdKey
      if (Buffer.compare(chunkId(idKey, plain), chunk.id) !== 0)
        throw new VaultError('corrupt', 'a chunk is not what its id says')
      return plain
    } catch (cause) {
      signal?.throwIfAborted()
      // Damage in one location says nothing about the rest of the pack: the sink is asked for the next chunk by itself.
      const damage =
        (cause instanceof Error && cause.name !== 'SinkError') ||
        hasCode(cause, 'range') ||
        hasCode(cause, 'corrupt')
      if (!damage) this.#bad.add(where)
      if (!damage && damageOf(cause) === undefined) this.#unanswered.add(location.pack)
      this.#packs.delete(location.pack)
      this.#runKeys.delete(where)
      this.#uses.set(location.pack, -64)
      if (!this.#reported.has(where)) {
        this.#reported.add(where)
        this.#options.onProblem(
          damage ? damagedPack(sink.name, key, cause) : absentPack(sink.name, key, cause),
        )
      }
      return undefined
    }
  }

  async #wholePack(sink: Sink, name: string, key: string): Promise<Uint8Array | undefined> {
    const cached = this.#packs.get(name)
    if (cached) return cached
    const uses = (this.#uses.get(name) ?? 0) + 1
    this.#uses.set(name, uses)
    if (uses < 2) return undefined
    const { signal } = this.#options
    const info = await sink.head(key, { signal })
    if (!info || info.sizeBytes > WHOLE_PACK_BYTES) return undefined
    const pack = await getObject(sink, key, signal)
    this.#packs.set(name, pack)
    return pack
  }

  async #runKey(
    sink: Sink,
    location: ChunkLocation,
    pack: Uint8Array | undefined,
    where: string,
  ): Promise<Uint8Array> {
    let keys = this.#runKeys.get(where)
    if (!keys) {
      const { signal } = this.#options
      const key = packKey(location.pack)
      const { runKeys } = await readPackHeader(
        async (length) => pack?.subarray(0, length) ?? sink.get(key, { offset: 0, length, signal }),
        location.chunk.offset,
      )
      keys = await Promise.all(runKeys.map(({ id, boxes }) => this.#openRunKey(id, boxes)))
      this.#runKeys.set(where, keys)
    }
    const runKey = keys[location.chunk.runKey]
    if (!runKey) throw new VaultError('corrupt', 'a chunk names a run key that its pack does not have')
    return runKey
  }

  async #openRunKey(id: Uint8Array, boxes: readonly Uint8Array[]): Promise<Uint8Array> {
    const name = Buffer.from(id).toString('hex')
    const known = this.#opened.get(name)
    if (known) return known
    for (const box of boxes) {
      try {
        const runKey = await openSealed(this.#options.keys, box)
        if (Buffer.compare(runKeyId(runKey), id) !== 0) continue
        this.#opened.set(name, runKey)
        return runKey
      } catch {
        // For another recipient.
      }
    }
    throw new VaultError('corrupt', 'no run key in its header opens with this phrase')
  }
}

function damagedPack(sink: string, key: string, cause: unknown): VaultError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new VaultError('corrupt', `sink "${sink}": ${key} is damaged (${why})`, { sink, key, cause })
}

/** A pack that the sink lacks is missing; of one that it did not give for another reason nothing is known, and the reason is what is reported. */
function absentPack(sink: string, key: string, cause: unknown): Error {
  const error = toError(cause)
  return damageOf(error) === undefined
    ? error
    : new VaultError('missing', error.message, { sink, key, cause })
}

import { chunkId, type VaultKeys } from '@pipe-backup/crypto'
import { type ReadOptions, type Sink, toError } from '@pipe-backup/sink'
import { ChunkKind, unsealChunk } from '../format/chunk-codec.ts'
import { packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import { damageOf } from '../store/damage.ts'
import { MAX_PACK_BYTES } from '../store/read-sink.ts'
import { VaultError } from '../vault-error.ts'
import type { ChunkLocation } from './chunk-locations.ts'
import { RunKeys } from './run-keys.ts'
import { SealedStore } from './sealed-store.ts'
import { SinkOrder, TooSlowError } from './sink-order.ts'

/** Packs, and pieces of packs: a restore goes through some four of 8 MiB at a time, and the next ones are on their way, in about the order in which they were written. */
const SEALED_BYTES = 48 * 1024 * 1024
/** About as much as comes over a usual line while an answer is waited for. */
const REQUEST_BYTES = 512 * 1024
/** Larger packs are never fetched whole. */
const WHOLE_PACK_BYTES = 64 * 1024 * 1024
/** A pack that was let go so often, and is wanted again, has what is wanted scattered: only that is fetched. */
const MAX_WHOLE_FETCHES = 2

export interface PackReaderOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  readonly nodeIdKey: Uint8Array
  /** Called with each object that a sink did not have whole, and of each sink that did not answer. */
  readonly onProblem: (error: Error) => void
  readonly slowAfterMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A chunk that is still sealed, and the key that it opens with. */
export interface SealedChunk {
  /** Not to be used after anything was waited for. */
  readonly sealed: Uint8Array
  readonly runKey: Uint8Array
}

/** Reads chunks from packs, sink by sink, and remembers how that went. */
export class PackReader {
  /** In the order in which they are to be asked. */
  readonly sinks: SinkOrder
  readonly #options: PackReaderOptions
  readonly #runKeys: RunKeys
  readonly #store = new SealedStore(SEALED_BYTES)
  /** Where that is from: one sink's bytes say nothing of another's. */
  readonly #origins = new WeakMap<Uint8Array, Sink>()
  readonly #uses = new Map<string, number>()
  readonly #wholeFetches = new Map<string, number>()
  readonly #reported = new Set<string>()
  /** Packs that a sink lacks, or did not give when it was asked: not asked again. */
  readonly #bad = new Set<string>()
  /** Of these, the packs that a sink which did not answer may have whole. */
  readonly #unanswered = new Set<string>()
  /** Packs in which something was damaged: read chunk by chunk. */
  readonly #damaged = new Set<string>()

  constructor(options: PackReaderOptions) {
    this.#options = options
    this.sinks = new SinkOrder(options)
    this.#runKeys = new RunKeys(options.keys)
  }

  /** Whether a sink that did not answer may have this pack whole. */
  isUnanswered(pack: string): boolean {
    return this.#unanswered.has(pack)
  }

  /** How many requests for what is ahead are under way. */
  get requests(): number {
    return this.#store.requests
  }

  /**
   * The plain bytes of a chunk, proven by its id; undefined where the sink does not have it whole, which is reported.
   * @param packBytes - of the whole pack
   */
  async readFrom(sink: Sink, location: ChunkLocation, packBytes: number): Promise<Uint8Array | undefined> {
    const { pack, chunk } = location
    const where = nameOf(sink, pack)
    if (this.#bad.has(where)) return undefined
    const { signal, keys, nodeIdKey } = this.#options
    const key = packKey(pack)
    try {
      await this.#fetchFrom(sink, location, packBytes)
      const { offset, length } = chunk
      const piece = () => this.sinks.ask(sink, signal, (until) => sink.get(key, { offset, length, ...until }))
      // Asked for before the pack's header is waited for.
      const asked = this.#held(sink, location) ? undefined : piece()
      asked?.catch(() => undefined)
      const runKey = await this.#runKeyOf(sink, location)
      const sealed = this.#held(sink, location) ?? (await (asked ?? piece()))
      const plain = unsealChunk(runKey, chunk.kind, chunk.id, sealed, chunk.rawLength)
      const idKey = chunk.kind === ChunkKind.data ? keys.idKey : nodeIdKey
      if (Buffer.compare(chunkId(idKey, plain), chunk.id) !== 0)
        throw new VaultError('corrupt', 'a chunk is not what its id says')
      return plain
    } catch (cause) {
      signal?.throwIfAborted()
      this.#fail(sink, location, cause)
      return undefined
    }
  }

  /** Whether a pack of this size is to be fetched whole, for pieces of it that will be read. */
  isWorthFetching(pack: string, sizeBytes: number, pieces: number): boolean {
    return (pieces > 1 || sizeBytes <= REQUEST_BYTES) && this.#mayFetchWhole(pack, sizeBytes)
  }

  #mayFetchWhole(pack: string, sizeBytes: number): boolean {
    return sizeBytes <= WHOLE_PACK_BYTES && (this.#wholeFetches.get(pack) ?? 0) < MAX_WHOLE_FETCHES
  }

  /** Whether a chunk is here, or on its way. */
  isFetched(location: ChunkLocation): boolean {
    return [location.pack, pieceOf(location)].some(
      (key) => this.#store.get(key) !== undefined || this.#store.coming(key) !== undefined,
    )
  }

  /**
   * Begins to fetch a chunk that will be read soon, or all its pack, from the sink that would be asked for it then.
   * @param packBytes - of the whole pack, where that is wanted
   * @param isNeeded - whether chunks of a pack will be read soon
   * @param onDone - called when it has come, or has not
   * @returns false where there is no room for it yet
   */
  fetchAhead(
    location: ChunkLocation,
    packBytes: number | undefined,
    isNeeded: (pack: string) => boolean,
    signal: AbortSignal,
    onDone: () => void,
  ): boolean {
    const { pack, chunk } = location
    const size = packBytes ?? chunk.length
    if (!this.#store.makeRoom(size, (key) => isNeeded(key.slice(0, pack.length)))) return false
    const key = packBytes === undefined ? pieceOf(location) : pack
    const range = packBytes === undefined ? { offset: chunk.offset, length: chunk.length } : undefined
    const load = async (): Promise<Uint8Array | undefined> => {
      for (const sink of this.sinks) {
        if (this.#damaged.has(pack) || signal.aborted) break
        if (this.#bad.has(nameOf(sink, pack))) continue
        // What the pack's header says is on its way, too, when the piece has come.
        if (range) this.#runKeyOf(sink, location).catch(() => undefined)
        try {
          const bytes = await this.sinks.ask(sink, signal, (until) =>
            range ? sink.get(packKey(pack), { ...range, ...until }) : getPack(sink, pack, until),
          )
          this.#origins.set(bytes, sink)
          return bytes
        } catch (cause) {
          if (!signal.aborted) this.#fail(sink, location, cause)
        }
      }
      return undefined
    }
    if (packBytes !== undefined) this.#countWhole(pack)
    void this.#store.fetch(key, size, load).then(onDone)
    return true
  }

  /** Whether a chunk is on its way. */
  isComing(location: ChunkLocation): boolean {
    return this.#comingOf(location) !== undefined
  }

  /** A chunk that was fetched ahead, once it has come; undefined where it has not. */
  async sealedAhead(location: ChunkLocation): Promise<SealedChunk | undefined> {
    const { pack } = location
    await this.#comingOf(location)
    const held = this.#store.get(pack) ?? this.#store.get(pieceOf(location))
    const sink = held && this.#origins.get(held)
    if (!sink || this.#damaged.has(pack)) return undefined
    try {
      const runKey = await this.#runKeyOf(sink, location)
      const sealed = this.#held(sink, location)
      return sealed && { runKey, sealed }
    } catch {
      // It is read again by itself, which says what is wrong.
      return undefined
    }
  }

  /** A piece that was fetched by itself is of no use any more. */
  letGo(location: ChunkLocation | undefined): void {
    if (location) this.#store.delete(pieceOf(location))
  }

  #comingOf(location: ChunkLocation): Promise<void> | undefined {
    return this.#store.coming(location.pack) ?? this.#store.coming(pieceOf(location))
  }

  #held(sink: Sink, location: ChunkLocation): Uint8Array | undefined {
    const { offset, length } = location.chunk
    return (
      this.#from(sink, location.pack)?.subarray(offset, offset + length) ??
      this.#from(sink, pieceOf(location))
    )
  }

  #from(sink: Sink, key: string): Uint8Array | undefined {
    const bytes = this.#store.get(key)
    return bytes && this.#origins.get(bytes) === sink ? bytes : undefined
  }

  #runKeyOf(sink: Sink, location: ChunkLocation): Promise<Uint8Array> {
    const { pack } = location
    const { signal } = this.#options
    return this.#runKeys.of(location, nameOf(sink, pack), async (length) => {
      const whole = this.#from(sink, pack)
      return whole
        ? Uint8Array.from(whole.subarray(0, length))
        : this.sinks.ask(sink, signal, (until) => sink.get(packKey(pack), { offset: 0, length, ...until }))
    })
  }

  /** Waits for what is on its way, and fetches a pack whole as soon as its pieces would have taken longer. */
  async #fetchFrom(sink: Sink, location: ChunkLocation, packBytes: number): Promise<void> {
    const { pack } = location
    await this.#comingOf(location)
    if (this.#from(sink, pack)) return
    const uses = (this.#uses.get(pack) ?? 0) + 1
    this.#uses.set(pack, uses)
    if (uses * REQUEST_BYTES < packBytes || this.#from(sink, pieceOf(location))) return
    if (!this.#mayFetchWhole(pack, packBytes)) return
    const coming = this.#comingOf(location)
    if (coming) return await coming
    const { signal } = this.#options
    this.#store.makeRoom(packBytes, () => false)
    this.#countWhole(pack)
    await this.#store.fetch(pack, packBytes, async () => {
      const bytes = await this.sinks.ask(sink, signal, (until) => getPack(sink, pack, until))
      this.#origins.set(bytes, sink)
      return bytes
    })
  }

  #countWhole(pack: string): void {
    this.#wholeFetches.set(pack, (this.#wholeFetches.get(pack) ?? 0) + 1)
  }

  #fail(sink: Sink, location: ChunkLocation, cause: unknown): void {
    const { pack } = location
    const key = packKey(pack)
    const where = nameOf(sink, pack)
    if (cause instanceof TooSlowError) return
    // Damage in one location says nothing about the rest of the pack: the sink is asked for the next chunk by itself.
    const damage =
      (cause instanceof Error && cause.name !== 'SinkError') ||
      hasCode(cause, 'range') ||
      hasCode(cause, 'corrupt')
    if (damage) this.#damaged.add(pack)
    else this.#bad.add(where)
    if (!damage && damageOf(cause) === undefined) this.#unanswered.add(pack)
    this.#store.delete(pack)
    this.letGo(location)
    this.#runKeys.forget(where)
    this.#uses.set(pack, -64)
    if (this.#reported.has(where)) return
    this.#reported.add(where)
    this.#options.onProblem(damage ? damagedPack(sink.name, key, cause) : absentPack(sink.name, key, cause))
  }
}

/** A whole pack. @throws SinkError */
function getPack(sink: Sink, pack: string, options: ReadOptions): Promise<Uint8Array> {
  return sink.get(packKey(pack), { ...options, maxBytes: MAX_PACK_BYTES })
}

function nameOf(sink: Sink, pack: string): string {
  return `${sink.name}\n${pack}`
}

/** Under which a chunk that was fetched by itself is kept. */
function pieceOf({ pack, chunk }: ChunkLocation): string {
  return `${pack}+${chunk.offset}`
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

import { randomBytes } from 'node:crypto'
import { sealTo } from '@pipe-backup/crypto'
import { type FanOut, fanOut } from '@pipe-backup/tee'
import { ChunkKind } from '../chunk-codec.ts'
import type { ChunkIndex } from '../chunk-index.ts'
import type { IndexedPack } from '../index-object.ts'
import { decodeFooterContent, encodePackHeader, packKey, runKeyId } from '../pack-format.ts'
import type { SealWorkerData } from '../seal/messages.ts'
import type { FinishedPack } from '../seal/pack-writer.ts'
import { poolBytes, SealPool } from '../seal/seal-pool.ts'
import type { DerivedKeys } from '../vault-host.ts'
import type { RunContext } from './backup-options.ts'
import type { Place } from './place.ts'
import type { Places } from './places.ts'
import { SLAB_BYTES } from './source-backup.ts'

const WINDOW_BYTES = 256 * 1024 * 1024
/** However small the window: a pack for each that is sent, and one that waits. */
const LEAST_TEE_BYTES = 64 * 1024 * 1024
const DETACH_AFTER_MS = 30_000
/** Packs that one sink is sent at the same time. */
const PACKS_AT_ONCE = 2

/** From slabs to all the sinks at once: seals what is new into packs, and sends each to every sink that works. */
export class PackLine implements AsyncDisposable {
  readonly pool: SealPool
  /** Packs that no index object lists yet. */
  readonly unlisted: IndexedPack[]
  readonly #run: RunContext
  readonly #places: Places
  readonly #index: ChunkIndex
  readonly #fan: FanOut<FinishedPack>
  #pushing: Promise<void> = Promise.resolve()
  #notPushed = 0
  #pushError: Error | undefined
  #bytesStored = 0
  #bytesNew = 0

  private constructor(
    run: RunContext,
    places: Places,
    index: ChunkIndex,
    unlisted: IndexedPack[],
    keys: SealWorkerData,
  ) {
    this.#run = run
    this.#places = places
    this.#index = index
    this.unlisted = unlisted
    const { windowBytes = WINDOW_BYTES, detachAfterMs = DETACH_AFTER_MS, abortable } = run
    this.#fan = fanOut<FinishedPack>(
      places.working().map((place) => ({
        name: place.sink.name,
        concurrency: PACKS_AT_ONCE,
        write: (pack, writing) => this.#send(place, pack, writing),
      })),
      {
        // The window is all that a run may hold: what is being filled is a part of it.
        windowBytes: Math.max(windowBytes - poolBytes(SLAB_BYTES), LEAST_TEE_BYTES),
        sizeOf: (pack) => pack.buffer.byteLength,
        onRelease: (pack) => this.pool.recycle(pack.buffer),
        detachAfterMs,
        ...abortable,
      },
    )
    this.pool = new SealPool({
      keys,
      slabBytes: SLAB_BYTES,
      wanted: (pieces, ids) => this.#choose(pieces, ids),
      onPack: (pack) => this.#take(pack),
      ...abortable,
    })
  }

  /** @param unlisted - packs of earlier runs that no index object lists */
  static async open(
    run: RunContext,
    places: Places,
    index: ChunkIndex,
    derived: DerivedKeys,
    unlisted: readonly IndexedPack[],
  ): Promise<PackLine> {
    const { host } = run
    const runKey = randomBytes(32)
    const boxes = await Promise.all(
      [host.keys.publicKey, ...host.recipients].map((recipient) => sealTo(recipient, runKey)),
    )
    const header = encodePackHeader([{ id: runKeyId(runKey), boxes }])
    const { idKey, indexKey } = host.keys
    const { nodeIdKey } = derived
    const hostId = Buffer.from(host.hostId, 'hex')
    return new PackLine(run, places, index, [...unlisted], {
      runKey,
      idKey,
      nodeIdKey,
      indexKey,
      header,
      hostId,
    })
  }

  /** Sealed bytes of new packs, in one copy. */
  get bytesStored(): number {
    return this.#bytesStored
  }

  /** Bytes that were new, before compression. */
  get bytesNew(): number {
    return this.#bytesNew
  }

  /** Back-pressure: reading goes on when every finished pack has found room in the window. @throws what ended the sending */
  async room(): Promise<void> {
    while (this.#notPushed > 0) await this.#pushing
    if (this.#pushError !== undefined) throw this.#pushError
  }

  /** Sends what is left, and says which sinks were left behind. @throws the abort's reason */
  async end(): Promise<void> {
    await this.pool.flush()
    await this.room()
    const results = await this.#fan.end()
    this.#run.signal?.throwIfAborted()
    for (const { name, state, error } of results) {
      if (state !== 'ok') this.#places.of(name)?.fail(error, state)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]()
  }

  /** Says which pieces of a slab are new. Manifest nodes come here only when they are. */
  #choose(pieces: readonly { kind: ChunkKind; length: number }[], ids: readonly Uint8Array[]): number[] {
    const wanted: number[] = []
    for (const [i, piece] of pieces.entries()) {
      const id = ids[i]
      if (!id) continue
      if (piece.kind === ChunkKind.data) {
        if (this.#index.has(id)) continue
        this.#index.addPending(id, piece.kind, piece.length)
      }
      wanted.push(i)
      this.#bytesNew += piece.length
      this.#run.progress.bytesNew += piece.length
    }
    return wanted
  }

  #take(pack: FinishedPack): void {
    for (const [i, chunk] of decodeFooterContent(pack.footer).chunks.entries()) {
      this.#index.addPacked(chunk.id, chunk.kind, chunk.rawLength, pack.name, i)
    }
    this.unlisted.push({ name: pack.name, sizeBytes: pack.length, footer: pack.footer })
    this.#bytesStored += pack.length
    this.#notPushed++
    this.#pushing = this.#pushing
      .then(() => this.#fan.push(pack))
      .then(
        () => {
          this.#notPushed--
        },
        (error: unknown) => {
          this.#notPushed--
          this.#pushError ??= error instanceof Error ? error : new Error(String(error))
        },
      )
  }

  async #send(place: Place, pack: FinishedPack, signal: AbortSignal): Promise<void> {
    await place.sink.put(packKey(pack.name), new Uint8Array(pack.buffer, 0, pack.length), { signal })
    place.view?.packs.set(pack.name, { sizeBytes: pack.length, storedAt: this.#run.started })
    place.sent.set(pack.name, pack.length)
    place.count(pack.length)
  }
}

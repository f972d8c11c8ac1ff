import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { sealTo } from '@pipe-backup/crypto'
import { toError } from '@pipe-backup/sink'
import { type FanOut, fanOut, TooFewWritersError } from '@pipe-backup/tee'
import { ChunkKind } from '../format/chunk-codec.ts'
import type { IndexedPack } from '../format/index-object.ts'
import { decodeFooterContent, encodePackHeader, packKey, runKeyId } from '../format/pack-format.ts'
import type { DerivedKeys } from '../format/vault-host.ts'
import type { SealerKeys } from '../seal/messages.ts'
import type { FinishedPack } from '../seal/pack-writer.ts'
import { SealPool } from '../seal/seal-pool.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { VaultError } from '../vault-error.ts'
import type { RunContext } from './backup-options.ts'
import type { BackupTarget } from './backup-target.ts'
import { SLAB_BYTES } from './content-writer.ts'
import { MemoryWatch } from './memory-watch.ts'

/** A pack for each that a sink is sent, and one that waits. */
const WINDOW_BYTES = 32 * 1024 * 1024
const DETACH_AFTER_MS = 30_000
/** Packs that one sink is sent at the same time. */
const PACKS_AT_ONCE = 3
/** So much of a program's output is read on, this often, while the window is full. */
const PIECE_BYTES = 1024 * 1024
const PIECE_EVERY_MS = 10_000
/** As many finished packs may wait for room in the window while a program's output is read on in pieces. */
const MAX_WAITING_PACKS = 4

/** From slabs to all the sinks at once: seals what is new into packs, and sends each to every sink that works. */
export class PackLine implements AsyncDisposable {
  readonly pool: SealPool
  /** Packs that no index object lists yet. */
  readonly unlisted: IndexedPack[]
  readonly memory: MemoryWatch = new MemoryWatch()
  readonly #run: RunContext
  readonly #targets: readonly BackupTarget[]
  readonly #index: ChunkIndex
  readonly #fan: FanOut<FinishedPack>
  /** Finished packs on their way into the window. */
  readonly #finished: Writable
  #bytesStored = 0
  #bytesNew = 0

  private constructor(
    run: RunContext,
    targets: readonly BackupTarget[],
    index: ChunkIndex,
    unlisted: IndexedPack[],
    keys: SealerKeys,
  ) {
    this.#run = run
    this.#targets = targets
    this.#index = index
    this.unlisted = unlisted
    const { windowBytes = WINDOW_BYTES, detachAfterMs = DETACH_AFTER_MS, signal } = run
    this.#fan = fanOut<FinishedPack>(
      targets.filter(isWorking).map((target) => ({
        name: target.replica.name,
        concurrency: PACKS_AT_ONCE,
        write: (pack, writing, onBytes) => this.#send(target, pack, writing, onBytes),
      })),
      {
        windowBytes,
        sizeOf: (pack) => pack.buffer.byteLength,
        onRelease: (pack) => {
          this.memory.release(pack)
          this.pool.recycle(pack.buffer)
        },
        detachAfterMs,
        minAttached: run.copies,
        takeTurns: true,
        signal,
      },
    )
    this.#finished = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write: (pack: FinishedPack, _, done) => {
        this.#fan.push(pack).then(
          () => done(),
          (error: unknown) => done(ofSending(error)),
        )
      },
    })
    // Whoever waits for room, or asks for it, is given the error.
    this.#finished.on('error', () => undefined)
    this.pool = new SealPool({
      keys,
      slabBytes: SLAB_BYTES,
      wanted: (pieces, ids) => this.#choose(pieces, ids),
      onPack: (pack) => this.#take(pack),
      signal,
    })
  }

  /** @param unlisted - packs of earlier runs that no index object lists */
  static async open(
    run: RunContext,
    targets: readonly BackupTarget[],
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
    const { idKey, ...keys } = host.keys
    const { nodeIdKey } = derived
    const hostId = Buffer.from(host.hostId, 'hex')
    return new PackLine(run, targets, index, [...unlisted], {
      runKey,
      idKey,
      nodeIdKey,
      host: { keys, signer: host.signer },
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
  async room(signal?: AbortSignal): Promise<void> {
    if (this.#finished.errored) throw this.#finished.errored
    if (this.#finished.writableNeedDrain) await once(this.#finished, 'drain', { signal })
  }

  /**
   * Back-pressure for the output of a program, which goes on in small pieces: a database server ends a client that does not read for
   * a minute (`net_write_timeout` of MySQL and MariaDB).
   * @returns how many bytes may be read before it is to be called again
   * @throws what ended the sending
   */
  async roomForPiece(): Promise<number> {
    do {
      const pause = new AbortController()
      const { signal } = pause
      const isLate = sleep(this.#run.pieceEveryMs ?? PIECE_EVERY_MS, undefined, { signal, ref: false })
      try {
        await Promise.race([this.room(signal), isLate])
      } finally {
        pause.abort()
        await isLate.catch(() => undefined)
      }
    } while (this.#finished.writableLength > MAX_WAITING_PACKS)
    return PIECE_BYTES
  }

  /** Seals what is left; after this every pack is in the window. @throws what ended the sending */
  async flush(): Promise<void> {
    await this.pool.flush()
    await this.room()
  }

  /** After `flush`: yields each sink as soon as it has been sent everything, or has failed. @throws the abort's reason */
  async *through(): AsyncGenerator<BackupTarget> {
    for await (const { name, state, error } of this.#fan.results()) {
      const target = this.#targets.find(({ replica }) => replica.name === name)
      if (!target) continue
      if (state !== 'ok') target.fail(error, state)
      this.memory.check(target)
      yield target
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
    for (const target of this.#targets.filter(isWorking)) target.queue(pack.length)
    this.#finished.write(pack)
  }

  async #send(
    target: BackupTarget,
    pack: FinishedPack,
    signal: AbortSignal,
    onBytes: (sizeBytes: number) => void,
  ): Promise<void> {
    const show = target.sending(pack.length)
    let goneBytes = 0
    try {
      await target.replica.put(packKey(pack.name), new Uint8Array(pack.buffer, 0, pack.length), {
        signal,
        sha256: pack.name,
        onBytes: (sizeBytes) => {
          onBytes(sizeBytes)
          goneBytes += sizeBytes
          show(goneBytes)
          return undefined
        },
      })
    } catch (error) {
      show(0)
      throw error
    }
    show(pack.length)
    target.sent.set(pack.name, pack.length)
    this.memory.sent(pack, target)
  }
}

function isWorking(target: BackupTarget): boolean {
  return target.isWorking
}

function ofSending(error: unknown): Error {
  if (error instanceof TooFewWritersError) {
    return new VaultError('too-few-copies', `no sink is left to write to. ${error.message}`, {
      cause: error,
      hint: 'What arrived is used by the next run.',
    })
  }
  return toError(error)
}

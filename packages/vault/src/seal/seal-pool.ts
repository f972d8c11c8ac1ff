import { toError } from '@pipe-backup/sink'
import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'
import { startThread } from '../start-thread.ts'
import { VaultError } from '../vault-error.ts'
import type { FromSealer, SealerKeys, SlabPiece, ToSealer, ToWorker, WorkerStart } from './messages.ts'
import type { FinishedPack } from './pack-writer.ts'
import { Sealer } from './sealer.ts'

/**
 * Two keep two cores busy beside the main thread, which reads and waits; more would only wait for it. Each starts when those that are there
 * have something to do.
 */
const WORKERS = 2
/** What the main thread seals itself: most runs store little, and a thread takes as long to start as this does, a tenth of a second. */
const HERE_BYTES = 2 * 1024 * 1024
/** Slabs under way: two being filled, for small files and for large ones, and for each worker one at work. */
const SLABS = 4
/** Memory for packs that a sealer may have in reserve. */
const SPARE_PACKS = 1
/** Their garbage is small beside what is transferred; V8 would let it grow with the machine's memory. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 128 }

export interface SealPoolOptions {
  readonly keys: SealerKeys
  readonly slabBytes: number
  /** Chooses the pieces of a slab that are to be stored, once their ids are known. */
  wanted(pieces: readonly SlabPiece[], ids: readonly Uint8Array[]): readonly number[]
  onPack(pack: FinishedPack): void
  readonly signal?: AbortSignal | undefined
}

interface Job {
  readonly hand: Hand
  readonly pieces: readonly SlabPiece[]
  readonly onIds: (ids: readonly Uint8Array[]) => void
}

/** A sealer, wherever it runs. */
interface Hand {
  /** Slabs that it has. */
  slabs: number
  /** Memory for packs that it was given back and has not used again. */
  spare: number
  send(message: ToSealer, transfer: ArrayBuffer[]): void
  end(): Promise<unknown>
}

/**
 * Hashes, compresses, seals and proves: what is little here, the rest on worker threads. Memory goes back and forth by transfer and is used again;
 * how much of it there is bounds what is under way.
 */
export class SealPool implements AsyncDisposable {
  readonly #options: SealPoolOptions
  readonly #workers: Hand[] = []
  /** The sealer of this thread. */
  readonly #sealer: Sealer
  readonly #here: Hand
  #bytes = 0
  readonly #jobs = new Map<number, Job>()
  readonly #freeSlabs: ArrayBuffer[] = []
  readonly #waiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #slabsMade = 0
  #nextSlab = 0
  #unflushed = 0
  #failure: Error | undefined

  constructor(options: SealPoolOptions) {
    this.#options = options
    this.#here = {
      slabs: 0,
      spare: 0,
      // Later, as a thread would: who submits a slab does not get its ids before it has gone on.
      send: (message) => void setImmediate(() => this.#handleHere(message)),
      end: () => Promise.resolve(),
    }
    this.#sealer = new Sealer(options.keys, (message) => this.#receive(this.#here, message))
    options.signal?.addEventListener('abort', () => this.#fail(options.signal?.reason), { once: true })
  }

  /** Memory for a slab, as soon as there is some. @throws what made the pool fail */
  async takeSlab(): Promise<ArrayBuffer> {
    for (;;) {
      this.#check()
      const slab = this.#freeSlabs.pop()
      if (slab) return slab
      if (this.#slabsMade < SLABS) {
        this.#slabsMade++
        return new ArrayBuffer(this.#options.slabBytes)
      }
      await this.#change()
    }
  }

  /** Hands a filled slab over. `onIds` is called with the ids of its pieces before any of them is sealed. */
  submit(
    memory: ArrayBuffer,
    pieces: readonly SlabPiece[],
    onIds: (ids: readonly Uint8Array[]) => void,
  ): void {
    this.#check()
    for (const { length } of pieces) this.#bytes += length
    const hand = this.#bytes <= HERE_BYTES ? this.#here : this.#leastBusy()
    const slab = this.#nextSlab++
    hand.slabs++
    this.#jobs.set(slab, { hand, pieces, onIds })
    hand.send({ type: 'hash', slab, memory, pieces }, [memory])
  }

  /** Returns memory of a pack that no sink needs any more. */
  recycle(buffer: ArrayBuffer): void {
    if (this.#failure !== undefined) return
    const [first = this.#here, ...others] = this.#workers
    const hand = others.reduce((one, other) => (other.spare < one.spare ? other : one), first)
    // What nobody is going to use soon is freed at once, not when it is collected.
    if (hand.spare >= SPARE_PACKS) return void buffer.transfer(0)
    hand.spare++
    hand.send({ type: 'recycle', buffer }, [buffer])
  }

  /** Waits until every slab has been hashed and sealed. */
  async idle(): Promise<void> {
    while (this.#jobs.size > 0) {
      this.#check()
      await this.#change()
    }
    this.#check()
  }

  /** Finishes the open packs. Every pack has been given to `onPack` when this resolves. */
  async flush(): Promise<void> {
    await this.idle()
    const hands = [this.#here, ...this.#workers]
    this.#unflushed = hands.length
    for (const hand of hands) hand.send({ type: 'flush' }, [])
    while (this.#unflushed > 0) {
      await this.#change()
      this.#check()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new Error('the seal pool is closed')
    await Promise.all(this.#workers.map((worker) => worker.end()))
    this.#wake()
  }

  #leastBusy(): Hand {
    const [first = this.#startWorker(), ...others] = this.#workers
    const least = others.reduce((one, other) => (other.slabs < one.slabs ? other : one), first)
    return least.slabs > 0 && this.#workers.length < WORKERS ? this.#startWorker() : least
  }

  /** Once there are threads, what this one has begun is theirs. */
  #handOver(): void {
    const [worker] = this.#workers
    if (!worker || this.#here.slabs > 0) return
    const packs = this.#sealer.release()
    if (packs.length > 0)
      worker.send(
        { type: 'adopt', packs },
        packs.map(({ pack }) => pack.buffer),
      )
  }

  #startWorker(): Hand {
    const start: WorkerStart = { keys: this.#options.keys, isEnded: new Int32Array(new SharedArrayBuffer(4)) }
    const { thread, ended } = startThread(new URL('./seal-worker', import.meta.url), start, WORKER_LIMITS)
    const worker: Hand = {
      slabs: 0,
      spare: 0,
      send: (message, transfer) => thread.postMessage(message, transfer),
      end: async () => {
        // Not terminated: Node aborts the whole process when a thread dies just as it begins to compress.
        Atomics.store(start.isEnded, 0, 1)
        thread.postMessage({ type: 'end' } satisfies ToWorker)
        await ended
      },
    }
    thread.on('message', (message: FromSealer) => this.#receive(worker, message))
    thread.on('error', (error) => this.#fail(error))
    this.#workers.push(worker)
    this.#handOver()
    return worker
  }

  #handleHere(message: ToSealer): void {
    if (this.#failure !== undefined) return
    try {
      this.#sealer.handle(message)
    } catch (error) {
      this.#fail(error)
    }
    this.#handOver()
  }

  #receive(hand: Hand, message: FromSealer): void {
    try {
      this.#handle(hand, message)
    } catch (error) {
      this.#fail(error)
    }
    this.#wake()
  }

  #handle(hand: Hand, message: FromSealer): void {
    switch (message.type) {
      case 'ids': {
        const job = this.#jobs.get(message.slab)
        if (!job) throw new Error('ids of an unknown slab')
        const all = Buffer.from(message.ids.buffer, message.ids.byteOffset, message.ids.length)
        const ids = job.pieces.map((_, i) => all.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES))
        const wanted = this.#options.wanted(job.pieces, ids)
        hand.send({ type: 'seal', slab: message.slab, wanted }, [])
        job.onIds(ids)
        break
      }
      case 'slab':
        this.#jobs.delete(message.slab)
        hand.slabs--
        this.#freeSlabs.push(message.memory)
        break
      case 'pack':
        hand.spare = Math.max(0, hand.spare - 1)
        this.#options.onPack(message.pack)
        break
      case 'flushed':
        this.#unflushed--
        break
      case 'failed':
        throw new VaultError('fault', message.message, { ...(message.hint && { hint: message.hint }) })
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #fail(error: unknown): void {
    this.#failure ??= toError(error)
    this.#wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  #wake(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }
}

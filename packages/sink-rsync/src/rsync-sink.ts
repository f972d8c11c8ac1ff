import {
  checkMaxBytes,
  checkPublished,
  createSink,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  rangeLength,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import PQueue from 'p-queue'
import { deleteObjects } from './delete-objects.ts'
import { listed, whatIsThere } from './listing.ts'
import { MemorySpool } from './memory-spool.ts'
import { PulledObject } from './pulled-object.ts'
import { RecentObjects } from './recent-objects.ts'
import { toSinkError } from './rsync-errors.ts'
import { RsyncServer } from './rsync-server.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'
import { isSameObject, sendObjects } from './send-objects.ts'
import { type SpooledObject, spoolObject } from './spooled-object.ts'
import { parseTarget, type Target } from './target.ts'
import { type Batch, UploadQueue } from './upload-queue.ts'

const SPOOL_BYTES = 256 * 1024 * 1024
const PIECE_BYTES = 256 * 1024

/**
 * A directory behind rsync as a sink, over ssh or of a daemon: for servers that allow nothing else.
 * @throws TypeError for a target that is none
 */
export function rsyncSink(options: RsyncSinkOptions): Sink {
  return createSink(new RsyncProvider(options, parseTarget(options.target)), { heldBytes: 0 })
}

interface Opened {
  readonly spool: MemorySpool
  readonly server: RsyncServer
  readonly queue: UploadQueue
}

class RsyncProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean
  readonly #options: RsyncSinkOptions
  readonly #target: Target
  /** Of all that is under way: what moves for one shows all that the server is there. */
  readonly #pulses = new Set<() => void>()
  readonly #recent = new RecentObjects()
  /** The server lets nothing be read, or listed. */
  #isBlind = false
  #opening: Promise<Opened> | undefined

  constructor(options: RsyncSinkOptions, target: Target) {
    const { name, appendOnly = false, password } = options
    if (password !== undefined && target.type === 'ssh')
      throw new TypeError('a password is for a daemon (rsync://…): over ssh it takes a key, or an agent')
    this.name = name
    this.appendOnly = appendOnly
    this.#options = options
    this.#target = target
  }

  upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    return this.#with(options, async (opened, onBytes) => {
      const { signal } = options
      const spooling = spoolObject(opened.spool, key, body, { onBytes, signal })
      await using object = await (body.bytes ? opened.queue.expect(spooling) : spooling)
      await this.#store(opened, object, options)
    })
  }

  /** It begins when all of the object is here. */
  read(key: string, options: ReadOptions): Promise<ObjectRange> {
    return this.#with(options, async (opened) => {
      const pulled = await this.#pull(opened, key, options)
      // What can't be closed now goes with the process.
      const close = () => void pulled[Symbol.asyncDispose]().catch(() => undefined)
      try {
        const sizeBytes = rangeLength(pulled.sizeBytes, options, { sink: this.name, key })
        return { sizeBytes, pieces: piecesOf(pulled, options.offset ?? 0, sizeBytes), close }
      } catch (error) {
        close()
        throw error
      }
    })
  }

  async get(key: string, options: ReadOptions): Promise<Uint8Array> {
    const { offset = 0, maxBytes } = options
    const isRange = options.offset !== undefined || options.length !== undefined
    const lengthOf = (sizeBytes: number): number => {
      const length = rangeLength(sizeBytes, options, { sink: this.name, key })
      checkMaxBytes(length, maxBytes, { sink: this.name, key })
      return length
    }
    const recent = isRange ? this.#recent.get(key) : undefined
    if (recent) return Buffer.from(recent.subarray(offset, offset + lengthOf(recent.length)))
    return await this.#with(options, async (opened, onBytes) => {
      const since = this.#recent.changes
      await using pulled = await this.#pull(opened, key, options)
      const { sizeBytes } = pulled
      for (let left = sizeBytes; left > 0; left -= PIECE_BYTES) await onBytes(Math.min(left, PIECE_BYTES))
      if (isRange && sizeBytes <= RecentObjects.maxBytes)
        this.#recent.keep(key, await pulled.read(0, sizeBytes), since)
      return await pulled.read(offset, lengthOf(sizeBytes))
    })
  }

  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#with(options, async ({ server }) => {
      const found = await whatIsThere(server, [key], options.signal)
      return found.get(key)
    })
  }

  async *list(folder: string, { signal }: SinkOptions): AsyncGenerator<ObjectInfo> {
    const { server } = await this.#open(signal)
    yield* listed(server, folder === '' ? '' : `${folder}/`, signal)
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    return this.#with(options, async ({ server, spool }) => {
      for (const key of keys) this.#recent.changed(key)
      try {
        return await deleteObjects(server, spool, keys, options.signal)
      } finally {
        for (const key of keys) this.#recent.changed(key)
      }
    })
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    this.#opening = undefined
    this.#recent.clear()
    await opened?.server[Symbol.asyncDispose]()
    await opened?.spool[Symbol.asyncDispose]()
  }

  /** @param work - is given an `onBytes` that reports one piece after the other, and between them, with 0 bytes, that something moves */
  async #with<T>(
    { onBytes, signal }: SinkOptions,
    work: (opened: Opened, onBytes: (sizeBytes: number) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const calls = new PQueue({ concurrency: 1 })
    const report = (sizeBytes: number): Promise<void> => calls.add(async () => await onBytes?.(sizeBytes))
    const pulse = (): void => {
      // Whoever holds it back does so by its signal too.
      if (onBytes && calls.pending + calls.size === 0) report(0).catch(() => undefined)
    }
    this.#pulses.add(pulse)
    try {
      return await work(await this.#open(signal), report)
    } finally {
      this.#pulses.delete(pulse)
    }
  }

  #open(signal?: AbortSignal): Promise<Opened> {
    signal?.throwIfAborted()
    const opening = (this.#opening ??= this.#openSpool())
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  async #openSpool(): Promise<Opened> {
    const { name, spool: directory, spoolBytes = SPOOL_BYTES } = this.#options
    const spool = await MemorySpool.open(name, directory, spoolBytes)
    const server = new RsyncServer(this.#options, this.#target, spool, () => {
      for (const pulse of this.#pulses) pulse()
    })
    const queue = new UploadQueue((batch) => this.#send(server, batch))
    return { spool, server, queue }
  }

  /** What was stored is looked for, unless the server forbids that: then what rsync says is all there is. */
  async #send(server: RsyncServer, batch: Batch): Promise<ReadonlySet<string>> {
    const stored = await sendObjects(server, batch)
    if (this.#isBlind || stored.size === 0) return stored
    try {
      const there = await whatIsThere(server, [...stored], batch.signal)
      for (const { key, sizeBytes } of batch.uploads) {
        const thereBytes = there.get(key)?.sizeBytes
        if (stored.has(key)) checkPublished({ sink: this.name, key, sentBytes: sizeBytes, thereBytes })
      }
    } catch (cause) {
      batch.signal.throwIfAborted()
      const error = toSinkError(cause, this.name)
      if (!(error instanceof SinkError) || error.code !== 'forbidden') throw cause
      this.#isBlind = true
    }
    return stored
  }

  /** Sends what is in the spool. */
  async #store(
    { server, queue }: Opened,
    { key, source, sizeBytes, pace }: SpooledObject,
    { ifAbsent = false, signal }: PutOptions,
  ): Promise<void> {
    const upload = { key, source, sizeBytes, pace, ifAbsent, signal }
    this.#recent.changed(key)
    const outcome = await queue.add(upload)
    this.#recent.changed(key)
    if (outcome === 'stored') return
    const isOurs = (outcome === 'unsure' || !ifAbsent) && (await isSameObject(server, upload))
    if (isOurs) return
    const place = { sink: this.name, key }
    if (ifAbsent) throw new SinkError('exists', 'exists already', place)
    throw new SinkError('forbidden', 'is another object, and the server lets none be replaced', place)
  }

  /** All of the object comes, whatever is wanted of it. @throws SinkError `corrupt` */
  #pull(
    { server, spool }: Opened,
    key: string,
    { offset = 0, length, maxBytes, signal }: ReadOptions,
  ): Promise<PulledObject> {
    if (length !== undefined) checkMaxBytes(length, maxBytes, { sink: this.name, key })
    const most = length === undefined && maxBytes !== undefined ? offset + maxBytes : undefined
    return PulledObject.pull(server, spool, key, { maxBytes: most, signal })
  }
}

async function* piecesOf(pulled: PulledObject, from: number, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; at += PIECE_BYTES)
    yield await pulled.read(from + at, Math.min(length - at, PIECE_BYTES))
}

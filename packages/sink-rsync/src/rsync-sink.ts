import {
  checkMaxBytes,
  createSink,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { deleteObjects } from './delete-objects.ts'
import { listed, type Watch, whatIsThere } from './listing.ts'
import { MemorySpool } from './memory-spool.ts'
import { ProgressReporter } from './progress-reporter.ts'
import { PulledObject, type PullOptions } from './pulled-object.ts'
import { RecentObjects } from './recent-objects.ts'
import { toSinkError } from './rsync-errors.ts'
import { RsyncServer } from './rsync-server.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'
import { checkStored, isSameObject, sendObjects } from './send-objects.ts'
import { SpooledObject } from './spooled-object.ts'
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
  readonly #reporters = new Set<ProgressReporter>()
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
    return this.#with(options, async (opened, reporter) => {
      const { signal } = options
      const object = new SpooledObject(opened.spool, key)
      const writing = { onBytes: (size: number) => reporter.report(size), signal }
      try {
        if (!body.bytes) {
          for await (const piece of body.unwatched()) {
            await object.reserve(piece.length, signal)
            await object.write(piece, writing)
          }
          return await this.#store(opened, object, options)
        }
        await object.reserve(body.bytes.length, signal)
        const added = opened.queue.expect()
        try {
          await object.write(body.bytes, writing)
          await this.#store(opened, object, options, added)
        } finally {
          added()
        }
      } finally {
        await object.discard()
      }
    })
  }

  /** All of it is had, so how long it is shows at the end. */
  async read(key: string, options: ReadOptions): Promise<ObjectRange> {
    const { server, spool } = await this.#open(options.signal)
    const reporter = this.#newReporter(options)
    const pulled = new PulledObject(server, spool, key, this.#pull(key, options))
    const close = (): void => {
      this.#reporters.delete(reporter)
      // What can't be removed now goes with the spool.
      pulled[Symbol.asyncDispose]().catch(() => undefined)
    }
    try {
      await pulled.moreThan(0)
      return { sizeBytes: undefined, pieces: this.#pieces(pulled, key, options), close }
    } catch (error) {
      close()
      throw error
    }
  }

  get(key: string, options: ReadOptions): Promise<Uint8Array> {
    return this.#with(options, async ({ server, spool }, reporter) => {
      const isRange = options.offset !== undefined || options.length !== undefined
      const since = this.#recent.changes
      const recent = isRange ? this.#recent.take(key) : undefined
      const pulled = recent ?? new PulledObject(server, spool, key, this.#pull(key, options))
      let good = false
      try {
        for (let reported = recent ? await pulled.ended : 0; ; ) {
          const here = await pulled.moreThan(reported)
          if (here === reported) break
          await reporter.report(here - reported)
          reported = here
        }
        good = true
        const [from, to] = this.#range(key, await pulled.ended, options)
        checkMaxBytes(to - from, options.maxBytes, { sink: this.name, key })
        return await pulled.read(from, to - from)
      } finally {
        if (good && isRange) this.#recent.keep(key, pulled, since)
        else await pulled[Symbol.asyncDispose]()
      }
    })
  }

  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#with(options, async ({ server }) => {
      const found = await whatIsThere(server, [key], this.#watch(options))
      return found.get(key)
    })
  }

  async *list(folder: string, options: SinkOptions): AsyncGenerator<ObjectInfo> {
    const { server } = await this.#open(options.signal)
    yield* listed(server, folder === '' ? '' : `${folder}/`, this.#watch(options))
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    return this.#with(options, ({ server, spool }) => {
      for (const key of keys) this.#recent.changed(key)
      return deleteObjects(server, spool, keys, this.#watch(options))
    })
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    const opened = await opening?.catch(() => undefined)
    if (!opened) return
    await opened.server[Symbol.asyncDispose]()
    await this.#recent[Symbol.asyncDispose]()
    await opened.spool[Symbol.asyncDispose]()
  }

  async #with<T>(
    options: SinkOptions,
    work: (opened: Opened, reporter: ProgressReporter) => Promise<T>,
  ): Promise<T> {
    const reporter = this.#newReporter(options)
    try {
      return await work(await this.#open(options.signal), reporter)
    } finally {
      this.#reporters.delete(reporter)
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
    const { spool: directory, spoolBytes = SPOOL_BYTES, create = false, name } = this.#options
    const spool = await MemorySpool.open(name, {
      bytes: spoolBytes,
      makeRoom: () => this.#recent.dropOldest(),
      directory,
    })
    const server = new RsyncServer({ ...this.#options, sink: name, target: this.#target, create }, spool)
    const queue = new UploadQueue((batch) => this.#send(server, batch))
    return { spool, server, queue }
  }

  /** What was stored is looked for, unless the server forbids that: then what rsync says is all there is. */
  async #send(server: RsyncServer, batch: Batch): Promise<ReadonlySet<string>> {
    const onHeard = () => this.#pulse()
    const stored = await sendObjects(server, batch, onHeard)
    if (this.#isBlind) return stored
    const uploads = batch.uploads.filter(({ key }) => stored.has(key))
    try {
      await checkStored(server, { ...batch, uploads }, this.name, onHeard)
    } catch (cause) {
      batch.signal.throwIfAborted()
      const error = toSinkError(cause, this.name)
      if (!(error instanceof SinkError) || error.code !== 'forbidden') throw cause
      this.#isBlind = true
    }
    return stored
  }

  /** Sends what is in the spool. @param added - called when it is in the queue */
  async #store(
    { server, spool, queue }: Opened,
    object: SpooledObject,
    { ifAbsent = false, signal }: PutOptions,
    added?: () => void,
  ): Promise<void> {
    await object.close()
    const { key, source, sizeBytes, pace } = object
    const upload = { key, source, sizeBytes, pace, ifAbsent, signal }
    this.#recent.changed(key)
    const adding = queue.add(upload)
    added?.()
    const outcome = await adding
    this.#recent.changed(key)
    if (outcome === 'stored') return
    const exists = new SinkError('exists', 'exists already', { sink: this.name, key })
    if (ifAbsent && outcome === 'taken') throw exists
    if (await isSameObject(server, spool, upload, object.path, this.#watch({ signal }))) return
    if (ifAbsent) throw exists
    throw new SinkError('forbidden', 'is another object, and the server lets none be replaced', {
      sink: this.name,
      key,
    })
  }

  async *#pieces(pulled: PulledObject, key: string, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const { offset = 0, length } = options
    const end = length === undefined ? Number.POSITIVE_INFINITY : offset + length
    for (let at = offset; at < end; ) {
      const here = Math.min(await pulled.moreThan(at), end)
      if (here <= at) break
      const piece = await pulled.read(at, Math.min(here - at, PIECE_BYTES))
      yield piece
      at += piece.length
    }
    this.#range(key, await pulled.ended, options)
  }

  /** All of the object comes, whatever is wanted of it. @throws SinkError `corrupt` */
  #pull(key: string, { offset = 0, length, maxBytes, ...options }: ReadOptions): PullOptions {
    if (length !== undefined) checkMaxBytes(length, maxBytes, { sink: this.name, key })
    const most = length === undefined && maxBytes !== undefined ? offset + maxBytes : undefined
    return { ...this.#watch(options), maxBytes: most }
  }

  /** @throws SinkError `range` */
  #range(key: string, size: number, { offset = 0, length = size - offset }: ReadOptions): [number, number] {
    if (offset >= 0 && length >= 0 && offset + length <= size) return [offset, offset + length]
    throw new SinkError('range', `has ${size} bytes, wanted ${length} from ${offset}`, {
      sink: this.name,
      key,
    })
  }

  #newReporter({ onBytes }: SinkOptions): ProgressReporter {
    const reporter = new ProgressReporter(onBytes)
    this.#reporters.add(reporter)
    return reporter
  }

  #watch({ signal }: SinkOptions): Watch {
    return { onHeard: () => this.#pulse(), signal }
  }

  #pulse(): void {
    for (const reporter of this.#reporters) reporter.pulse()
  }
}

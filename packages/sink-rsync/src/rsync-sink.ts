import {
  checkMaxBytes,
  createSink,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  pieces,
  type ReadOptions,
  rangeLength,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import PQueue from 'p-queue'
import { MemorySpool } from './memory-spool.ts'
import { MAX_RECENT_BYTES, RecentObjects } from './recent-objects.ts'
import { type PulledObject, RemoteDirectory } from './remote-directory.ts'
import { toSinkError } from './rsync-errors.ts'
import { RsyncServer } from './rsync-server.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'
import { parseTarget, type Target } from './target.ts'

const SPOOL_BYTES = 256 * 1024 * 1024
const PIECE_BYTES = 256 * 1024

/**
 * A directory behind rsync as a sink, over ssh or of a daemon: for servers that allow nothing else.
 * @throws TypeError for a target that is none
 */
export function rsyncSink(options: RsyncSinkOptions): Sink {
  return createSink(new RsyncProvider(options, parseTarget(options.target)))
}

type OnBytes = (sizeBytes: number) => Promise<void>

class RsyncProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean
  readonly #options: RsyncSinkOptions
  readonly #target: Target
  /** Of all that is under way: what moves for one shows all that the server is there. */
  readonly #pulses = new Set<() => void>()
  readonly #recent = new RecentObjects()
  #opening: Promise<RemoteDirectory> | undefined

  constructor(options: RsyncSinkOptions, target: Target) {
    const { name, appendOnly = false, password } = options
    if (password !== undefined && target.type === 'ssh')
      throw new TypeError('a password is for a daemon (rsync://…): over ssh it takes a key, or an agent')
    this.name = name
    this.appendOnly = appendOnly
    this.#options = options
    this.#target = target
  }

  upload(key: string, body: UploadBody, { ifAbsent = false, signal, ...rest }: PutOptions): Promise<void> {
    return this.#with(rest, async (remote, onBytes, undo) => {
      const object = await remote.spool.write(undo, key, body, { onBytes, signal })
      const upload = { ...object, ifAbsent, signal }
      this.#recent.changed([key])
      const outcome = await remote.queue.add(upload).finally(() => this.#recent.changed([key]))
      if (outcome === 'stored') return
      if ((outcome === 'unsure' || !ifAbsent) && (await remote.isSame(upload))) return
      const place = { sink: this.name, key }
      if (ifAbsent) throw new SinkError('exists', 'exists already', place)
      throw new SinkError('forbidden', 'is another object, and the server lets none be replaced', place)
    })
  }

  /** It begins when all of the object is here. */
  async read(key: string, options: ReadOptions): Promise<ObjectRange> {
    const { offset = 0, length, maxBytes } = options
    const isRange = options.offset !== undefined || length !== undefined
    if (length !== undefined) checkMaxBytes(length, maxBytes, { sink: this.name, key })
    // All of the object comes, whatever is wanted of it.
    const most = length === undefined && maxBytes !== undefined ? offset + maxBytes : undefined
    const since = this.#recent.changes
    const recent = isRange ? this.#recent.get(key) : undefined
    if (recent) {
      const sizeBytes = rangeLength(recent.length, options, { sink: this.name, key })
      return { sizeBytes, pieces: pieces(Buffer.from(recent.subarray(offset, offset + sizeBytes))) }
    }
    return await this.#with(options, async (remote, onBytes, undo) => {
      const pulled = await remote.pull(undo, key, most, options.signal)
      if (isRange && pulled.sizeBytes <= MAX_RECENT_BYTES)
        this.#recent.keep(key, await pulled.file.readFile(), since)
      const sizeBytes = rangeLength(pulled.sizeBytes, options, { sink: this.name, key })
      for (let left = pulled.sizeBytes - sizeBytes; left > 0; left -= PIECE_BYTES)
        await onBytes(Math.min(left, PIECE_BYTES))
      const held = undo.move()
      // What can't be closed now goes with the process.
      const close = () => void held.disposeAsync().catch(() => undefined)
      return { sizeBytes, pieces: piecesOf(pulled, offset, sizeBytes), close }
    })
  }

  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#with(options, async (remote) => (await remote.find([key], options.signal)).get(key))
  }

  async *list(folder: string, { signal }: SinkOptions): AsyncGenerator<ObjectInfo> {
    yield* (await this.#open()).list(folder === '' ? '' : `${folder}/`, signal)
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    return this.#with(options, async (remote) => {
      this.#recent.changed(keys)
      return await remote.delete(keys, options.signal).finally(() => this.#recent.changed(keys))
    })
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  async close(): Promise<void> {
    const remote = await this.#opening?.catch(() => undefined)
    this.#opening = undefined
    await remote?.[Symbol.asyncDispose]()
  }

  /** @param work - gets an `onBytes` that reports one piece after the other, and between them, with 0 bytes, that something moves */
  async #with<T>(
    { onBytes }: SinkOptions,
    work: (remote: RemoteDirectory, onBytes: OnBytes, undo: AsyncDisposableStack) => Promise<T>,
  ): Promise<T> {
    const calls = new PQueue({ concurrency: 1 })
    const report: OnBytes = (sizeBytes) => calls.add(async () => await onBytes?.(sizeBytes))
    const pulse = (): void => {
      // Whoever holds it back does so by its signal too.
      if (onBytes && calls.pending + calls.size === 0) report(0).catch(() => undefined)
    }
    await using undo = new AsyncDisposableStack()
    this.#pulses.add(pulse)
    try {
      return await work(await this.#open(), report, undo)
    } finally {
      this.#pulses.delete(pulse)
    }
  }

  #open(): Promise<RemoteDirectory> {
    return (this.#opening ??= this.#openRemote().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    }))
  }

  async #openRemote(): Promise<RemoteDirectory> {
    const { name, spool: directory, spoolBytes = SPOOL_BYTES } = this.#options
    const spool = await MemorySpool.open(name, directory, spoolBytes)
    const onHeard = (): void => {
      for (const pulse of this.#pulses) pulse()
    }
    const server = new RsyncServer(this.#target, { ...this.#options, directory: spool.path, onHeard })
    return new RemoteDirectory(spool, server)
  }
}

async function* piecesOf({ file }: PulledObject, from: number, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(length - at, PIECE_BYTES))
    const { bytesRead } = await file.read(piece, 0, piece.length, from + at)
    yield piece.subarray(0, bytesRead)
    at += bytesRead
  }
}

import { open, opendir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  checkMaxBytes,
  createSink,
  isKey,
  KeyLock,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  rangeLength,
  removeEach,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { DurableDirectories, syncDirectory } from './durable-directories.ts'
import { isCode, toSinkError } from './local-errors.ts'
import { makeDirectories } from './make-directories.ts'
import { ObjectFile, TEMPORARY_DIRECTORY } from './write-object.ts'

export interface LocalSinkOptions {
  readonly name: string
  /** The directory. Relative to the working directory. */
  readonly path: string
  /**
   * Make the directory when it is missing. Default false: a disk that is not mounted must not be taken for an empty one, and the
   * backups land on the disk that it would be mounted on.
   */
  readonly create?: boolean | undefined
}

/** What is reported at once. */
const READ_BYTES = 256 * 1024
/** What a killed process left behind is removed after so long. */
const STALE_MS = 24 * 60 * 60 * 1000

/** A directory as a sink: each object a file, durable (fsync of file and directory) before it is visible under its name. */
export function localSink(options: LocalSinkOptions): Sink {
  return createSink(new LocalProvider(options))
}

class LocalProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean = false
  readonly #root: string
  readonly #lock = new KeyLock()
  readonly #directories: DurableDirectories
  readonly #create: boolean
  #ready: Promise<void> | undefined
  /** The file system that the directory was on when it was first seen. */
  #device: number | undefined

  constructor({ name, path, create = false }: LocalSinkOptions) {
    this.name = name
    this.#root = resolve(path)
    this.#directories = new DurableDirectories(this.#root)
    this.#create = create
  }

  async upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    const file = await this.#newObject(key)
    try {
      if (body.bytes) await file.write(body.bytes, options)
      else for await (const piece of body.pieces()) await file.write(piece, { signal: options.signal })
      await file.commit(options.ifAbsent ?? false, options.signal)
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  async read(key: string, options: ReadOptions): Promise<ObjectRange> {
    const { file, from, length } = await this.#openRange(key, options)
    let closing: Promise<void> | undefined
    // Not before a read that is under way: its number may be another file's by then.
    let reading: Promise<unknown> = Promise.resolve()
    const close = (): void => void (closing ??= reading.then(() => file.close()).catch(() => undefined))
    const pieces = async function* (this: LocalProvider): AsyncGenerator<Uint8Array> {
      try {
        for (let at = 0; at < length && !closing; ) {
          const piece = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, length - at))
          const read = file.read(piece, 0, piece.length, from + at)
          reading = read.catch(() => undefined)
          const { bytesRead } = await read
          if (bytesRead === 0) throw this.#shorter(key)
          at += bytesRead
          yield piece.subarray(0, bytesRead)
        }
      } finally {
        close()
      }
    }
    return { sizeBytes: length, pieces: pieces.call(this), close }
  }

  /** Straight into the memory that is given out. */
  async get(key: string, options: ReadOptions): Promise<Uint8Array> {
    const { signal, onBytes } = options
    const { file, from, length } = await this.#openRange(key, options)
    try {
      checkMaxBytes(length, options.maxBytes, { sink: this.name, key })
      const bytes = Buffer.allocUnsafeSlow(length)
      for (let at = 0; at < length; ) {
        signal?.throwIfAborted()
        const most = onBytes ? READ_BYTES : length
        const { bytesRead } = await file.read(bytes, at, Math.min(most, length - at), from + at)
        if (bytesRead === 0) throw this.#shorter(key)
        await onBytes?.(bytesRead)
        at += bytesRead
      }
      return bytes
    } finally {
      await file.close()
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      const { size, mtime } = await stat(join(this.#root, key))
      return { key, sizeBytes: size, storedAt: mtime }
    } catch (error) {
      if (!isCode(error, 'ENOENT') && !isCode(error, 'ENOTDIR')) throw error
      await this.#whenReady()
      return undefined
    }
  }

  async *list(folder: string, { signal }: SinkOptions): AsyncGenerator<ObjectInfo> {
    await this.#whenReady()
    // What is below an unmounted disk is empty, and would say that nothing is there.
    await this.#checkDevice()
    yield* this.#walk(folder, signal)
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const remove = async (key: string): Promise<void> => {
      await this.#whenReady()
      const path = join(this.#root, key)
      await rm(path, { force: true })
      await syncDirectory(dirname(path)).catch((error: unknown) => {
        if (!isCode(error, 'ENOENT')) throw error
      })
    }
    return removeEach(this, keys, remove, options)
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  async *#walk(directory: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo> {
    let entries: Awaited<ReturnType<typeof opendir>>
    try {
      entries = await opendir(join(this.#root, directory), { bufferSize: 256 })
    } catch (error) {
      if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return
      throw error
    }
    const below: string[] = []
    for await (const entry of entries) {
      signal?.throwIfAborted()
      const key = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (!isKey(key)) continue
      if (entry.isDirectory()) below.push(key)
      else if (entry.isFile()) {
        const info = await this.#info(key)
        if (info) yield info
      }
    }
    for (const key of below) yield* this.#walk(key, signal)
  }

  /** Of the file system, for who is not root. */
  async freeBytes(): Promise<number> {
    await this.#whenReady()
    const { bavail, bsize } = await statfs(this.#root)
    return bavail * bsize
  }

  async #info(key: string): Promise<ObjectInfo | undefined> {
    try {
      const { size, mtime } = await stat(join(this.#root, key))
      return { key, sizeBytes: size, storedAt: mtime }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  async #openRange(key: string, options: ReadOptions) {
    await this.#whenReady()
    const file = await open(join(this.#root, key), 'r')
    try {
      const { size } = await file.stat()
      const length = rangeLength(size, options, { sink: this.name, key })
      return { file, from: options.offset ?? 0, length }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  #shorter(key: string): SinkError {
    return new SinkError('corrupt', 'became shorter while it was read', { sink: this.name, key })
  }

  async #newObject(key: string): Promise<ObjectFile> {
    await this.#whenReady()
    return ObjectFile.create({
      sink: this.name,
      root: this.#root,
      key,
      lock: this.#lock,
      directories: this.#directories,
      isRight: () => this.#checkDevice(),
    })
  }

  /** @throws SinkError `unreachable` when the disk is no longer mounted, and what was below it has its name */
  async #checkDevice(): Promise<void> {
    const now = await stat(this.#root).catch((error: unknown) => {
      if (!isCode(error, 'ENOENT')) throw error
    })
    if (now && now.dev === this.#device) return
    const what = now ? 'is on another disk than before' : 'is not there any more'
    throw new SinkError('unreachable', `${this.#root} ${what}`, {
      sink: this.name,
      hint: 'Was its disk unmounted?',
    })
  }

  #whenReady(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      // What was in its way may be gone at the next request.
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  async #prepare(): Promise<void> {
    try {
      const { isDirectory } = await stat(this.#root).then((info) => ({ isDirectory: info.isDirectory() }))
      if (!isDirectory)
        throw new SinkError('protocol', `${this.#root} is not a directory`, { sink: this.name })
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error
      if (!this.#create) {
        throw new SinkError('unreachable', `${this.#root} is not there`, {
          sink: this.name,
          cause: error,
          isPlaceMissing: true,
          hint: 'Is the disk mounted? For a new place run `pipe-backup init`.',
        })
      }
      const made = await makeDirectories(this.#root).catch((cause: unknown) => {
        if (!isCode(cause, 'ENOENT')) throw cause
        const hint = 'Choose a directory of a disk, or of what is mounted there.'
        const message = `${this.#root} can't be made: what it is in takes no directory`
        throw new SinkError('unreachable', message, { sink: this.name, cause, hint })
      })
      for (const directory of made) await syncDirectory(dirname(directory))
    }
    this.#device ??= (await stat(this.#root)).dev
    await this.#removeStale()
  }

  async #removeStale(): Promise<void> {
    const directory = join(this.#root, TEMPORARY_DIRECTORY)
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name)
      const age = await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      )
      if (age > STALE_MS) await rm(path, { force: true }).catch(() => undefined)
    }
  }
}

import { mkdir, open, opendir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import {
  checkKey,
  checkMostBytes,
  deleteEach,
  isKey,
  KeyLock,
  type ObjectInfo,
  type PutOptions,
  type ReadOptions,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkTraits,
} from '@pipe-backup/sink'
import { toSinkError } from './local-errors.ts'
import { ObjectWritable } from './object-writable.ts'
import { RangeReadable, WATCHED_READ_BYTES } from './range-readable.ts'
import { isCode, ObjectFile, syncDirectory, TEMPORARY_DIRECTORY } from './write-object.ts'

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

/** What a killed process left behind is removed after so long. */
const STALE_MS = 24 * 60 * 60 * 1000

/** A directory as a sink: each object a file, durable (fsync of file and directory) before it is visible under its name. */
export function localSink(options: LocalSinkOptions): Sink {
  return new LocalSink(options)
}

class LocalSink implements Sink {
  readonly name: string
  readonly traits: SinkTraits = { maxObjectBytes: Number.MAX_SAFE_INTEGER, appendOnly: false }
  readonly #root: string
  readonly #lock = new KeyLock()
  readonly #create: boolean
  #ready: Promise<void> | undefined
  /** The file system that the directory was on when it was first seen. */
  #device: number | undefined

  constructor({ name, path, create = false }: LocalSinkOptions) {
    this.name = name
    this.#root = resolve(path)
    this.#create = create
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#do(key, options, async () => {
      const file = await this.#newObject(key)
      try {
        await file.write(bytes, options)
        await file.commit(options.ifAbsent ?? false, options.signal)
      } catch (error) {
        await file.discard()
        throw error
      }
    })
  }

  createWriteStream(key: string, options: PutOptions = {}): Writable {
    checkKey(key, this.name)
    return new ObjectWritable({
      ...options,
      create: () => this.#newObject(key),
      translate: (error) => toSinkError(error, this.name, key),
    })
  }

  createReadStream(key: string, options: ReadOptions = {}): Promise<Readable> {
    return this.#do(key, options, async () => {
      const range = await this.#openRange(key, options)
      return new RangeReadable(range, {
        ...options,
        short: () => this.#shorter(key),
        translate: (error) => toSinkError(error, this.name, key),
      })
    })
  }

  get(key: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.#do(key, options, async () => {
      const { file, from, length } = await this.#openRange(key, options)
      try {
        const { signal, onBytes } = options
        const bytes = Buffer.allocUnsafeSlow(length)
        for (let at = 0; at < length; ) {
          signal?.throwIfAborted()
          const most = onBytes ? WATCHED_READ_BYTES : length
          const { bytesRead } = await file.read(bytes, at, Math.min(most, length - at), from + at)
          if (bytesRead === 0) throw this.#shorter(key)
          await onBytes?.(bytesRead)
          at += bytesRead
        }
        return bytes
      } finally {
        await file.close()
      }
    })
  }

  head(key: string, options: SinkOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#do(key, options, async () => {
      try {
        const { size, mtime } = await stat(join(this.#root, key))
        return { key, sizeBytes: size, storedAt: mtime }
      } catch (error) {
        if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) {
          await this.#whenReady()
          return undefined
        }
        throw error
      }
    })
  }

  async *list(prefix: string, options: SinkOptions = {}): AsyncGenerator<ObjectInfo> {
    if (prefix !== '') checkKey(prefix.replace(/\/$/, ''), this.name)
    try {
      await this.#whenReady()
      // What is below an unmounted disk is empty, and would say that nothing is there.
      await this.#checkDevice()
      yield* this.#walk(prefix.replace(/\/$/, ''), options.signal)
    } catch (error) {
      throw toSinkError(error, this.name)
    }
  }

  delete(key: string, options: SinkOptions = {}): Promise<void> {
    return this.#do(key, options, async () => {
      await this.#whenReady()
      const path = join(this.#root, key)
      await rm(path, { force: true })
      await syncDirectory(dirname(path)).catch((error: unknown) => {
        if (!isCode(error, 'ENOENT')) throw error
      })
    })
  }

  deleteMany(keys: readonly string[], options: SinkOptions = {}): Promise<ReadonlyMap<string, SinkError>> {
    return deleteEach(this, keys, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

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
  async freeBytes({ signal }: SinkOptions = {}): Promise<number> {
    signal?.throwIfAborted()
    try {
      await this.#whenReady()
      const { bavail, bsize } = await statfs(this.#root)
      return bavail * bsize
    } catch (error) {
      throw toSinkError(error, this.name)
    }
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

  async #openRange(key: string, { offset = 0, length, mostBytes }: ReadOptions) {
    await this.#whenReady()
    const file = await open(join(this.#root, key), 'r')
    const { size } = await file.stat()
    const wanted = length ?? size - offset
    try {
      const place = { sink: this.name, key }
      if (offset < 0 || wanted < 0 || offset + wanted > size)
        throw new SinkError('range', `has ${size} bytes, wanted ${wanted} from ${offset}`, place)
      checkMostBytes(wanted, mostBytes, place)
    } catch (error) {
      await file.close()
      throw error
    }
    return { file, from: offset, length: wanted }
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
          hint: 'Is the disk mounted? For a new place run `pipe-backup init`.',
        })
      }
      await mkdir(this.#root, { recursive: true, mode: 0o700 })
      await syncDirectory(dirname(this.#root))
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

  async #do<T>(key: string, { signal }: SinkOptions, work: () => Promise<T>): Promise<T> {
    checkKey(key, this.name)
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      throw toSinkError(error, this.name, key)
    }
  }
}

import { join } from 'node:path/posix'
import { Readable, Writable } from 'node:stream'
import {
  checkKey,
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
import { readRange } from './read-range.ts'
import { Remote } from './remote.ts'
import { SftpConnection, type SftpLogin } from './sftp-connection.ts'
import { isStatus, Status, toSinkError } from './sftp-errors.ts'
import { makeDirectories, TEMPORARY_DIRECTORY, Upload } from './upload.ts'
import { WriteWindow } from './write-window.ts'

export interface SftpSinkOptions extends SftpLogin {
  readonly name: string
  /** The directory: absolute, or below the one where the login begins. */
  readonly path: string
  /** Make the directory when it is missing. Default false: a disk that the server has lost must not be taken for an empty one. */
  readonly create?: boolean | undefined
}

/** What a killed client left behind is removed after so long. */
const STALE_MS = 24 * 60 * 60 * 1000
/** How long a server may take to tidy up after a failure, before a connection that nobody else uses is given up. */
const DISCARD_MS = 3000

/** A directory on an SSH server as a sink, by SFTP: the server's key is verified, an object is synced before it has its name. */
export function sftpSink(options: SftpSinkOptions): Sink {
  return new SftpSink(options)
}

class SftpSink implements Sink {
  readonly name: string
  readonly traits: SinkTraits = { maxObjectBytes: Number.MAX_SAFE_INTEGER, appendOnly: false }
  readonly #root: string
  readonly #create: boolean
  readonly #connection: SftpConnection
  /** Of who gives an object its name: where that takes a look and then a rename, two may not do it at once. */
  readonly #lock = new KeyLock()
  readonly #window = new WriteWindow()
  #ready: Promise<void> | undefined
  /** Requests and streams under way, and those of them that are being undone. */
  #busy = 0
  #undoing = 0

  constructor({ name, path, create = false, ...login }: SftpSinkOptions) {
    this.name = name
    this.#root = path.replace(/^~\/?/, '').replace(/\/+$/, '') || (path.startsWith('/') ? '/' : '.')
    this.#create = create
    this.#connection = new SftpConnection(name, login)
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#do(key, options, async (remote) => {
      const upload = await Upload.create(remote, this.#root, key, options, this.#window)
      try {
        await upload.write(bytes)
        await this.#lock.run(key, () => upload.commit(this.name, key, options.ifAbsent ?? false))
      } catch (error) {
        const explained = await upload.explained(error, this.name, key)
        await this.#discard(upload)
        throw explained
      }
    })
  }

  createWriteStream(key: string, options: PutOptions = {}): Writable {
    checkKey(key, this.name)
    let upload: Upload | undefined
    let committed = false
    const step = (work: () => Promise<void>, done: (error?: Error | null) => void): void => {
      work().then(
        () => done(),
        async (cause: unknown) => {
          const why = (await upload?.explained(cause, this.name, key)) ?? cause
          done((options.signal?.aborted ? why : toSinkError(why, this.name, key)) as Error)
        },
      )
    }
    return new Writable({
      highWaterMark: 1024 * 1024,
      ...(options.signal && { signal: options.signal }),
      construct: (done) =>
        step(async () => {
          this.#busy++
          upload = await Upload.create(await this.#remote(options), this.#root, key, options, this.#window)
        }, done),
      write: (chunk: Uint8Array, _encoding, done) => step(async () => upload?.write(chunk), done),
      final: (done) =>
        step(async () => {
          await this.#lock.run(key, async () => upload?.commit(this.name, key, options.ifAbsent ?? false))
          committed = true
        }, done),
      destroy: (error, done) => {
        const undo = upload && !committed ? this.#discard(upload) : Promise.resolve()
        const end = () => {
          this.#busy--
          done(error)
        }
        undo.then(end, end)
      },
    })
  }

  createReadStream(key: string, options: ReadOptions = {}): Promise<Readable> {
    return this.#do(key, options, async (remote) => {
      const range = await readRange(remote, join(this.#root, key), options, this.name, key)
      const pieces = async function* (this: SftpSink): AsyncGenerator<Uint8Array> {
        try {
          yield* range.pieces
        } catch (cause) {
          options.signal?.throwIfAborted()
          throw toSinkError(cause, this.name, key)
        }
      }
      const stream = Readable.from(pieces.call(this), { objectMode: false, highWaterMark: 256 * 1024 })
      this.#busy++
      // One that is destroyed before it is read never runs its generator.
      return stream.once('close', () => {
        this.#busy--
        void range.close()
      })
    })
  }

  get(key: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.#do(key, options, async (remote) => {
      const { pieces, length } = await readRange(remote, join(this.#root, key), options, this.name, key)
      const bytes = Buffer.allocUnsafeSlow(length)
      let at = 0
      for await (const piece of pieces) {
        bytes.set(piece, at)
        at += piece.length
      }
      return bytes
    })
  }

  head(key: string, options: SinkOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#do(key, options, async (remote) => {
      try {
        const { size, mtime } = await remote.stat(join(this.#root, key))
        return { key, sizeBytes: size, storedAt: new Date(mtime * 1000) }
      } catch (error) {
        if (isStatus(error, Status.noSuchFile)) return undefined
        throw error
      }
    })
  }

  async *list(prefix: string, options: SinkOptions = {}): AsyncGenerator<ObjectInfo> {
    if (prefix !== '') checkKey(prefix.replace(/\/$/, ''), this.name)
    try {
      yield* this.#walk(await this.#remote(options), prefix.replace(/\/$/, ''))
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw toSinkError(cause, this.name)
    }
  }

  delete(key: string, options: SinkOptions = {}): Promise<void> {
    return this.#do(key, options, async (remote) => {
      try {
        await remote.unlink(join(this.#root, key))
      } catch (error) {
        if (!isStatus(error, Status.noSuchFile)) throw error
      }
    })
  }

  deleteMany(keys: readonly string[], options: SinkOptions = {}): Promise<ReadonlyMap<string, SinkError>> {
    return deleteEach(this, keys, options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]()
  }

  async *#walk(remote: Remote, directory: string): AsyncGenerator<ObjectInfo> {
    const below: string[] = []
    try {
      for await (const { filename, attrs } of remote.entries(join(this.#root, directory))) {
        const key = directory === '' ? filename : `${directory}/${filename}`
        if (!isKey(key)) continue
        if (attrs.isDirectory()) below.push(key)
        else if (attrs.isFile()) yield { key, sizeBytes: attrs.size, storedAt: new Date(attrs.mtime * 1000) }
      }
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
    }
    for (const key of below) yield* this.#walk(remote, key)
  }

  /** Of the file system, by an extension of OpenSSH's: undefined where the server does not have it. */
  async freeBytes(options: SinkOptions = {}): Promise<number | undefined> {
    try {
      const remote = await this.#remote(options)
      return remote.has('statvfs') ? await remote.freeBytes(this.#root) : undefined
    } catch (cause) {
      options.signal?.throwIfAborted()
      // rclone announces what it does not do.
      if (isStatus(cause, Status.unsupported)) return undefined
      throw toSinkError(cause, this.name)
    }
  }

  async #do<T>(key: string, options: SinkOptions, work: (remote: Remote) => Promise<T>): Promise<T> {
    checkKey(key, this.name)
    this.#busy++
    try {
      return await work(await this.#remote(options))
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw toSinkError(cause, this.name, key)
    } finally {
      this.#busy--
    }
  }

  /** The server, with the directory there. */
  async #remote({ signal }: SinkOptions): Promise<Remote> {
    signal?.throwIfAborted()
    const session = await unless(signal, this.#connection.session())
    const ready = (this.#ready ??= this.#prepare(new Remote(session)))
    ready.catch(() => {
      this.#ready = undefined
    })
    await unless(signal, ready)
    return new Remote(session, signal)
  }

  async #prepare(remote: Remote): Promise<void> {
    try {
      await remote.stat(this.#root)
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
      if (!this.#create) {
        const hint = 'Is its disk mounted? `pipe-backup init` makes the directory.'
        throw new SinkError('unreachable', `the server has no directory ${this.#root}`, {
          sink: this.name,
          hint,
        })
      }
      await makeDirectories(remote, '', this.#root)
    }
    await this.#removeStale(remote)
  }

  async #removeStale(remote: Remote): Promise<void> {
    const directory = join(this.#root, TEMPORARY_DIRECTORY)
    try {
      for await (const { filename, attrs } of remote.entries(directory)) {
        const old = Date.now() - attrs.mtime * 1000 > STALE_MS
        if (old && attrs.isFile()) await remote.unlink(join(directory, filename)).catch(() => undefined)
      }
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
    }
  }

  /**
   * Undoes an upload; a server that does not answer to that either is given up, with what is still in the pipes. Not while others use the
   * connection: on a slow line the answer only waits behind their bytes, and each would be the end of the other.
   */
  async #discard(upload: Upload): Promise<void> {
    this.#undoing++
    const timer = setInterval(() => {
      if (this.#busy <= this.#undoing) this.#connection.drop()
    }, DISCARD_MS)
    try {
      await upload.discard(new Remote(await this.#connection.session()))
    } catch {
      // The connection is gone, and with it whoever could delete; what is left is removed when it is stale.
    } finally {
      clearInterval(timer)
      this.#undoing--
    }
  }
}

/** The promise's outcome, or the signal's reason as soon as it fires. */
async function unless<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (!signal) return promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

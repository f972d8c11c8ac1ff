import { join } from 'node:path/posix'
import {
  createSink,
  KeyLock,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  removeEach,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  slabs,
  type UploadBody,
  unlessAborted,
} from '@pipe-backup/sink'
import { listObjects } from './list-objects.ts'
import { readRange } from './read-range.ts'
import { infoOf, Remote } from './remote.ts'
import { SftpConnection, type SftpLogin } from './sftp-connection.ts'
import { isStatus, Status, toSinkError } from './sftp-errors.ts'
import { makeDirectories, REQUEST_BYTES, TEMPORARY_DIRECTORY, Upload } from './upload.ts'
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
  return createSink(new SftpProvider(options))
}

class SftpProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean = false
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

  upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    return this.#with(options, async (remote) => {
      const upload = await Upload.create(remote, this.#root, key, options, this.#window)
      try {
        if (body.bytes) await upload.write(body.bytes)
        else for await (const slab of slabs(body.unwatched(), REQUEST_BYTES)) await upload.write(slab)
        await this.#lock.run(key, () => upload.commit(this.name, key, options.ifAbsent ?? false))
      } catch (error) {
        const explained = await upload.explained(error, this.name, key)
        await this.#discard(upload)
        throw explained
      }
    })
  }

  async read(key: string, options: ReadOptions): Promise<ObjectRange> {
    const range = await this.#with(options, (remote) =>
      readRange(remote, join(this.#root, key), options, { sink: this.name, key }),
    )
    this.#busy++
    let isOpen = true
    const close = (): void => {
      if (isOpen) this.#busy--
      isOpen = false
      range.close?.()
    }
    return { ...range, close }
  }

  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#with(options, async (remote) => {
      try {
        return infoOf(key, await remote.stat(join(this.#root, key)))
      } catch (error) {
        if (isStatus(error, Status.noSuchFile)) return undefined
        throw error
      }
    })
  }

  async *list(folder: string, options: SinkOptions): AsyncGenerator<ObjectInfo> {
    yield* listObjects({ sink: this.name, remote: await this.#remote(options), root: this.#root }, folder)
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const remove = (key: string) =>
      this.#with(options, async (remote) => {
        try {
          await remote.unlink(join(this.#root, key))
        } catch (error) {
          if (!isStatus(error, Status.noSuchFile)) throw error
        }
      })
    return removeEach(this, keys, remove, options)
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  close(): Promise<void> {
    return this.#connection[Symbol.asyncDispose]()
  }

  /** Of the file system, by an extension of OpenSSH's: undefined where the server does not have it. */
  async freeBytes(options: SinkOptions): Promise<number | undefined> {
    const remote = await this.#remote(options)
    try {
      return remote.has('statvfs') ? await remote.freeBytes(this.#root) : undefined
    } catch (cause) {
      // rclone announces what it does not do.
      if (isStatus(cause, Status.unsupported)) return undefined
      throw cause
    }
  }

  async #with<T>(options: SinkOptions, work: (remote: Remote) => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work(await this.#remote(options))
    } finally {
      this.#busy--
    }
  }

  /** The server, with the directory there. */
  async #remote({ signal }: SinkOptions): Promise<Remote> {
    signal?.throwIfAborted()
    const session = await unlessAborted(this.#connection.session(), signal)
    const ready = (this.#ready ??= this.#prepare(new Remote(session)))
    ready.catch(() => {
      this.#ready = undefined
    })
    await unlessAborted(ready, signal)
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
          isPlaceMissing: true,
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
      for await (const some of remote.batches(directory)) {
        for (const { filename, attrs } of some) {
          const old = Date.now() - attrs.mtime * 1000 > STALE_MS
          if (old && attrs.isFile()) await remote.unlink(join(directory, filename)).catch(() => undefined)
        }
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

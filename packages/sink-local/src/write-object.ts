import { randomBytes } from 'node:crypto'
import { type FileHandle, link, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkPublished, type KeyLock, type SinkOptions } from '@pipe-backup/sink'
import { type DurableDirectories, syncDirectory } from './durable-directories.ts'
import { isCode } from './local-errors.ts'
import { makeDirectories } from './make-directories.ts'

/** Where objects are written before they have their name. Its name can't be a key, so listings never show it. */
export const TEMPORARY_DIRECTORY = '.tmp'

const WRITE_BYTES = 4 * 1024 * 1024
const WATCHED_WRITE_BYTES = 256 * 1024

/** What file systems without hard links answer: FAT and exFAT EPERM, network shares and FUSE the others. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

export interface ObjectFileOptions {
  /** The sink's name. */
  readonly sink: string
  /** The sink's directory. */
  readonly root: string
  readonly key: string
  /** Of those who give an object its name: what is looked at then must not be another's. */
  readonly lock: KeyLock
  readonly directories: DurableDirectories
  /** Asked before anything is written, and before a directory is made: throws when it is another disk's. */
  readonly isRight: () => Promise<void>
}

/** One object on its way: written under a temporary name, and given its own when all of it is on the disk. */
export class ObjectFile {
  readonly #options: ObjectFileOptions
  readonly #path: string
  readonly #temporary: string
  readonly #file: FileHandle
  #at = 0

  static async create(options: ObjectFileOptions): Promise<ObjectFile> {
    const object = await ObjectFile.#open(options)
    try {
      // The directory below a disk that is gone may have had a `.tmp` of its own.
      await options.isRight()
      return object
    } catch (error) {
      await object.discard()
      throw error
    }
  }

  static async #open(options: ObjectFileOptions): Promise<ObjectFile> {
    const { root, isRight } = options
    const temporary = join(root, TEMPORARY_DIRECTORY, `${process.pid}-${randomBytes(8).toString('hex')}`)
    try {
      return new ObjectFile(options, temporary, await open(temporary, 'wx', 0o600))
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error
      await isRight()
      await mkdir(dirname(temporary), { mode: 0o700 }).catch((cause: unknown) => {
        if (!isCode(cause, 'EEXIST')) throw cause
      })
      return new ObjectFile(options, temporary, await open(temporary, 'wx', 0o600))
    }
  }

  private constructor(options: ObjectFileOptions, temporary: string, file: FileHandle) {
    this.#options = options
    this.#path = join(options.root, options.key)
    this.#temporary = temporary
    this.#file = file
  }

  async write(bytes: Uint8Array, { signal, onBytes }: SinkOptions): Promise<void> {
    const most = onBytes ? WATCHED_WRITE_BYTES : WRITE_BYTES
    for (let from = 0; from < bytes.length; ) {
      signal?.throwIfAborted()
      const length = Math.min(most, bytes.length - from)
      if (onBytes) await onBytes(length)
      signal?.throwIfAborted()
      const { bytesWritten } = await this.#file.write(bytes, from, length, this.#at)
      from += bytesWritten
      this.#at += bytesWritten
    }
  }

  /** Makes it durable and visible. @param ifAbsent - fail with EEXIST when the name is taken */
  async commit(ifAbsent: boolean, signal?: AbortSignal): Promise<void> {
    await this.#file.sync()
    await this.#file.close()
    signal?.throwIfAborted()
    const publish = ifAbsent ? () => this.#publishAbsent() : () => rename(this.#temporary, this.#path)
    const { sink, key, lock, directories, isRight } = this.#options
    const directory = dirname(this.#path)
    await lock.run(key, async () => {
      try {
        await publish()
      } catch (error) {
        if (!isCode(error, 'ENOENT')) throw error
        await isRight()
        await makeDirectories(directory)
        await publish()
      }
      checkPublished({ sink, key, sentBytes: this.#at, thereBytes: await sizeOf(this.#path) })
    })
    if (ifAbsent) await rm(this.#temporary, { force: true })
    // The name is on the disk only when its directory is.
    await syncDirectory(directory)
    await directories.ensure(directory)
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await rm(this.#temporary, { force: true })
  }

  /**
   * A link never replaces. Where there are none, or what is said to be one is none, it is looked first: two who come in the same moment
   * may then both be reported that it was they.
   */
  async #publishAbsent(): Promise<void> {
    try {
      await link(this.#temporary, this.#path)
      if ((await sizeOf(this.#path)) !== undefined) return
    } catch (error) {
      if (!NO_LINKS.some((code) => isCode(error, code))) throw error
      if ((await sizeOf(this.#path)) !== undefined)
        throw Object.assign(new Error('exists already', { cause: error }), { code: 'EEXIST' })
    }
    await rename(this.#temporary, this.#path)
  }
}

/** @returns undefined when nothing has the name */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

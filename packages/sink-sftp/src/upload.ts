import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path/posix'
import { checkPublished, SinkError, type SinkOptions, toError } from '@pipe-backup/sink'
import type { Remote } from './remote.ts'
import { FREE_SOME, isStatus, NO_SPACE, Status } from './sftp-errors.ts'
import type { WriteWindow } from './write-window.ts'

/** Where objects are written before they have their name. Its name can't be a key, so listings never show it. */
export const TEMPORARY_DIRECTORY = '.tmp'
/** What OpenSSH takes in one request: 256 KiB with all that is around the bytes. */
export const REQUEST_BYTES: number = 255 * 1024

/** One object on its way: written under a temporary name, and given its own when the server has all of it. */
export class Upload {
  readonly #remote: Remote
  readonly #root: string
  readonly #path: string
  readonly #temporary: string
  readonly #handle: Buffer
  readonly #options: SinkOptions
  readonly #window: WriteWindow
  readonly #underWay = new Set<Promise<void>>()
  #failure: Error | undefined
  #isLinked = false
  #at = 0

  static async create(
    remote: Remote,
    root: string,
    key: string,
    options: SinkOptions,
    window: WriteWindow,
  ): Promise<Upload> {
    const temporary = join(root, TEMPORARY_DIRECTORY, randomBytes(12).toString('hex'))
    let handle: Buffer
    try {
      handle = await remote.open(temporary, 'wx')
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
      await makeDirectories(remote, root, dirname(temporary))
      handle = await remote.open(temporary, 'wx')
    }
    return new Upload(remote, root, join(root, key), temporary, handle, options, window)
  }

  private constructor(
    remote: Remote,
    root: string,
    path: string,
    temporary: string,
    handle: Buffer,
    options: SinkOptions,
    window: WriteWindow,
  ) {
    this.#window = window
    this.#remote = remote
    this.#root = root
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
    this.#options = options
  }

  /** Resolves when there is room for more requests; the bytes must stay as they are until `commit`. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; from += REQUEST_BYTES) {
      const piece = bytes.subarray(from, from + REQUEST_BYTES)
      await this.#options.onBytes?.(piece.length)
      while (this.#underWay.size >= this.#window.requests) await Promise.race(this.#underWay)
      this.#check()
      const sentAt = performance.now()
      const writing = this.#remote.write(this.#handle, piece, this.#at).then(
        () => {
          this.#underWay.delete(writing)
          this.#window.answered(performance.now() - sentAt)
          this.#heard()
        },
        (error: unknown) => {
          this.#failure ??= toError(error)
          this.#underWay.delete(writing)
        },
      )
      this.#underWay.add(writing)
      this.#at += piece.length
    }
  }

  /**
   * Makes it durable and visible. In transit the bytes are under SSH's MAC; that the server has written as many is asked.
   * @throws SinkError `exists`, `corrupt`; the server's errors
   */
  async commit(sink: string, key: string, ifAbsent: boolean): Promise<void> {
    await Promise.all(this.#underWay)
    this.#check()
    const remote = this.#remote
    const syncing = remote.has('fsync') ? remote.fsync(this.#handle) : undefined
    const [size] = await Promise.all([remote.size(this.#handle), syncing])
    this.#heard()
    if (size !== this.#at)
      throw new SinkError('corrupt', `the server has ${size} of ${this.#at} bytes`, { sink, key })
    await remote.close(this.#handle)
    try {
      await this.#publish(sink, key, ifAbsent)
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
      await makeDirectories(remote, this.#root, dirname(this.#path))
      await this.#publish(sink, key, ifAbsent)
    }
    this.#heard()
    checkPublished({ sink, key, sentBytes: this.#at, thereBytes: await sizeOf(remote, this.#path) })
    // A link leaves the temporary name behind; nothing goes before the object was seen under its own.
    if (this.#isLinked) await remote.unlink(this.#temporary)
  }

  /** OpenSSH says no more of a disk that is full than that it failed: then it is asked how much room there is. */
  async explained(cause: unknown, sink: string, key: string): Promise<unknown> {
    if (!isStatus(cause, Status.failure) || !this.#remote.has('statvfs')) return cause
    const free = await this.#remote.freeBytes(this.#root).catch(() => Number.POSITIVE_INFINITY)
    return free < REQUEST_BYTES
      ? new SinkError('full', NO_SPACE, { sink, key, cause, hint: FREE_SOME })
      : cause
  }

  /** Leaves nothing behind, as far as the server still answers. @param remote - not ended by the signal that ended the upload */
  async discard(remote: Remote): Promise<void> {
    await Promise.allSettled(this.#underWay)
    await remote.close(this.#handle).catch(() => undefined)
    await remote.unlink(this.#temporary).catch(() => undefined)
  }

  async #publish(sink: string, key: string, ifAbsent: boolean): Promise<void> {
    const remote = this.#remote
    if (!ifAbsent && remote.has('rename')) return remote.replace(this.#temporary, this.#path)
    const links = await this.#makesLinks()
    try {
      // Of the two, a link is never made over what is there; some servers rename over it, so that they are asked before.
      if (links) await remote.link(this.#temporary, this.#path)
      else if (ifAbsent && (await sizeOf(remote, this.#path)) !== undefined) throw existing(sink, key)
      else await remote.rename(this.#temporary, this.#path)
    } catch (error) {
      if (error instanceof SinkError || isStatus(error, Status.noSuchFile) || !(await this.#isTaken()))
        throw error
      if (ifAbsent) throw existing(sink, key, error)
      // No way to replace it in one step: for a moment there is none.
      await remote.unlink(this.#path)
      await remote.rename(this.#temporary, this.#path)
      return
    }
    this.#isLinked = links
  }

  /** Go's SFTP library announces links, answers OK and makes none; also where the name is taken. So one is made first that harms nobody. */
  #makesLinks(): Promise<boolean> {
    const remote = this.#remote
    return remote.learn('links', async () => {
      if (!remote.has('hardlink')) return false
      const trial = `${this.#temporary}-link`
      try {
        await remote.link(this.#temporary, trial)
      } catch {
        // Not on this file system. What else is wrong is seen by the rename.
        return false
      }
      if ((await sizeOf(remote, trial)) === undefined) return false
      await remote.unlink(trial)
      return true
    })
  }

  #isTaken(): Promise<boolean> {
    return sizeOf(this.#remote, this.#path).then(
      (size) => size !== undefined,
      () => false,
    )
  }

  /** The server has answered: it is alive, though nothing more goes to it. */
  #heard(): void {
    void Promise.resolve(this.#options.onBytes?.(0)).catch(() => undefined)
  }

  #check(): void {
    this.#options.signal?.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
  }
}

function existing(sink: string, key: string, cause?: unknown): SinkError {
  return new SinkError('exists', 'exists already', { sink, key, cause })
}

/** @returns undefined when nothing has the name */
async function sizeOf(remote: Remote, path: string): Promise<number | undefined> {
  try {
    return (await remote.stat(path)).size
  } catch (error) {
    if (isStatus(error, Status.noSuchFile)) return undefined
    throw error
  }
}

/** Makes a directory below the root, and those above it. */
export async function makeDirectories(remote: Remote, root: string, path: string): Promise<void> {
  if (path.length <= root.length) return
  try {
    await remote.mkdir(path)
  } catch (error) {
    if (isStatus(error, Status.noSuchFile)) {
      await makeDirectories(remote, root, dirname(path))
      await remote.mkdir(path).catch(() => undefined)
    }
    // Most servers say no more than «failure» of what is there already; if it is not, the next step fails.
  }
}

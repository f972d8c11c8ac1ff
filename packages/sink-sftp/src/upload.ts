import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path/posix'
import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import type { Remote } from './remote.ts'
import { FREE_SOME, isStatus, NO_SPACE, Status } from './sftp-errors.ts'

/** Where objects are written before they have their name. Its name can't be a key, so listings never show it. */
export const TEMPORARY_DIRECTORY = '.tmp'
/** What OpenSSH takes in one request: 256 KiB with all that is around the bytes. */
const REQUEST_BYTES = 255 * 1024
/** Sixteen requests under way fill a link of 100 ms and 40 MB/s, and the pipes of a local one. */
const WINDOW_REQUESTS = 16

/** One object on its way: written under a temporary name, and given its own when the server has all of it. */
export class Upload {
  readonly #remote: Remote
  readonly #root: string
  readonly #path: string
  readonly #temporary: string
  readonly #handle: Buffer
  readonly #options: SinkOptions
  readonly #underWay = new Set<Promise<void>>()
  #failure: Error | undefined
  #at = 0

  static async create(remote: Remote, root: string, key: string, options: SinkOptions): Promise<Upload> {
    const temporary = join(root, TEMPORARY_DIRECTORY, randomBytes(12).toString('hex'))
    let handle: Buffer
    try {
      handle = await remote.open(temporary, 'wx')
    } catch (error) {
      if (!isStatus(error, Status.noSuchFile)) throw error
      await makeDirectories(remote, root, dirname(temporary))
      handle = await remote.open(temporary, 'wx')
    }
    return new Upload(remote, root, join(root, key), temporary, handle, options)
  }

  private constructor(
    remote: Remote,
    root: string,
    path: string,
    temporary: string,
    handle: Buffer,
    options: SinkOptions,
  ) {
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
      while (this.#underWay.size >= WINDOW_REQUESTS) await Promise.race(this.#underWay)
      this.#check()
      const writing = this.#remote.write(this.#handle, piece, this.#at).then(
        () => void this.#underWay.delete(writing),
        (error: unknown) => {
          this.#failure ??= error instanceof Error ? error : new Error(String(error))
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
    if (remote.has('fsync')) await remote.fsync(this.#handle)
    const size = await remote.size(this.#handle)
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
    const linked = remote.has('hardlink')
    try {
      // Of the two, a link is never made over what is there; some servers rename over it.
      if (linked) await remote.link(this.#temporary, this.#path)
      else await remote.rename(this.#temporary, this.#path)
    } catch (error) {
      if (isStatus(error, Status.noSuchFile) || !(await this.#isTaken())) throw error
      if (ifAbsent) throw new SinkError('exists', 'exists already', { sink, key, cause: error })
      // No way to replace it in one step: for a moment there is none.
      await remote.unlink(this.#path)
      await remote.rename(this.#temporary, this.#path)
      return
    }
    if (linked) await remote.unlink(this.#temporary)
  }

  #isTaken(): Promise<boolean> {
    return this.#remote.stat(this.#path).then(
      () => true,
      () => false,
    )
  }

  #check(): void {
    this.#options.signal?.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
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

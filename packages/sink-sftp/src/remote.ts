import { constants } from 'node:fs'
import { join } from 'node:path/posix'
import type { ObjectInfo } from '@pipe-backup/sink'
import type { SFTPWrapper, Stats } from 'ssh2'
import type { SftpSession } from './sftp-connection.ts'
import { isStatus, Status } from './sftp-errors.ts'

/** What OpenSSH's extensions are called: PROTOCOL in its sources, section 4. */
const EXTENSIONS = {
  rename: 'posix-rename@openssh.com',
  fsync: 'fsync@openssh.com',
  hardlink: 'hardlink@openssh.com',
  statvfs: 'statvfs@openssh.com',
} as const

export interface RemoteEntry {
  readonly filename: string
  readonly attrs: Stats
}

/** An object, as far as the server says it: attributes may lack a size or a time, which the driver refuses. */
export function infoOf(key: string, { size, mtime }: Pick<Stats, 'size' | 'mtime'>): ObjectInfo {
  return { key, sizeBytes: size, storedAt: new Date(mtime * 1000) }
}

/** Whether they tell a file from a directory: servers may leave the mode out, or all of it but the permissions. */
export function hasType({ mode }: Pick<Stats, 'mode'>): boolean {
  return (mode & constants.S_IFMT) !== 0
}

type Callback<T> = (error: Error | null | undefined, result: T) => void

/**
 * ssh2's SFTP by promises. Each rejects with the signal's reason as soon as it fires: what the server still answers is
 * dropped.
 */
export class Remote {
  readonly #sftp: SFTPWrapper
  readonly #lost: AbortSignal
  readonly #signal: AbortSignal | undefined
  readonly #learnt: Map<string, Promise<boolean>>
  readonly #closing = new Set<Promise<void>>()

  constructor({ sftp, lost, learnt }: SftpSession, signal?: AbortSignal) {
    this.#sftp = sftp
    this.#lost = lost
    this.#learnt = learnt
    this.#signal = signal
  }

  has(extension: keyof typeof EXTENSIONS): boolean {
    // ssh2 keeps what the server announced to itself.
    const announced = (this.#sftp as unknown as { _extensions?: Record<string, string> })._extensions
    return announced?.[EXTENSIONS[extension]] !== undefined
  }

  /** What is tried out once for each connection. When that fails, such as by the signal of who tried, the next tries for itself. */
  learn(what: string, tryOut: () => Promise<boolean>): Promise<boolean> {
    const known = this.#learnt.get(what)
    if (known) return known.catch(tryOut)
    const learning = tryOut()
    this.#learnt.set(what, learning)
    learning.catch(() => this.#learnt.delete(what))
    return learning
  }

  /** What is opened when nobody waits for it any more is closed; a file that was made for it is removed. */
  open(path: string, flags: 'r' | 'wx'): Promise<Buffer> {
    const late = (handle: Buffer): void => {
      this.close(handle).catch(ignore)
      if (flags === 'wx') this.#whole((done) => this.#sftp.unlink(path, done)).catch(ignore)
    }
    return this.#call((done) => this.#sftp.open(path, flags, { mode: 0o600 }, done), late)
  }

  /** Asked for also when the signal has fired, though not waited for then: a handle that is left open stays so until the connection ends. */
  close(handle: Buffer): Promise<void> {
    const closing = this.#whole((done) => this.#sftp.close(handle, (error) => done(error, undefined)))
    closing.catch(ignore)
    return this.#call((done) => void closing.then(() => done(null, undefined), done))
  }

  write(handle: Buffer, bytes: Uint8Array, position: number): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.#call((done) =>
      this.#sftp.write(handle, buffer, 0, buffer.length, position, (error) => done(error, undefined)),
    )
  }

  /** What there is room for on the file system of a path, in bytes, for who is not root. */
  async freeBytes(path: string): Promise<number> {
    // Its types leave it out: https://github.com/mscdex/ssh2/blob/master/SFTP.md
    const sftp = this.#sftp as unknown as {
      ext_openssh_statvfs(path: string, done: Callback<{ f_bavail: number; f_frsize: number }>): void
    }
    const { f_bavail, f_frsize } = await this.#call<{ f_bavail: number; f_frsize: number }>((done) =>
      sftp.ext_openssh_statvfs(path, done),
    )
    return f_bavail * f_frsize
  }

  /** @returns how many bytes were read: 0 at the end of the file */
  read(handle: Buffer, into: Buffer, position: number): Promise<number> {
    return this.#call((done) => this.#sftp.read(handle, into, 0, into.length, position, done))
  }

  size(handle: Buffer): Promise<number> {
    return this.#call<Stats>((done) => this.#sftp.fstat(handle, done)).then(({ size }) => size)
  }

  stat(path: string): Promise<Stats> {
    return this.#call((done) => this.#sftp.stat(path, done))
  }

  fsync(handle: Buffer): Promise<void> {
    return this.#call((done) => this.#sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)))
  }

  link(from: string, to: string): Promise<void> {
    return this.#call((done) => this.#sftp.ext_openssh_hardlink(from, to, (error) => done(error, undefined)))
  }

  /** Fails when the name is taken, as version 3 of the protocol wants it. */
  rename(from: string, to: string): Promise<void> {
    return this.#call((done) => this.#sftp.rename(from, to, (error) => done(error, undefined)))
  }

  /** Replaces what has the name. */
  replace(from: string, to: string): Promise<void> {
    return this.#call((done) => this.#sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)))
  }

  unlink(path: string): Promise<void> {
    return this.#call((done) => this.#sftp.unlink(path, (error) => done(error, undefined)))
  }

  mkdir(path: string): Promise<void> {
    return this.#call((done) => this.#sftp.mkdir(path, { mode: 0o700 }, (error) => done(error, undefined)))
  }

  /** A directory's entries, as many at a time as the server sends. What it does not say of one is asked for: the protocol lets it give names alone. */
  async *batches(path: string): AsyncGenerator<readonly RemoteEntry[]> {
    const late = (handle: Buffer): void => void this.close(handle).catch(ignore)
    const handle = await this.#call<Buffer>((done) => this.#sftp.opendir(path, done), late)
    try {
      for (;;) {
        const some = await this.#call<readonly RemoteEntry[] | undefined>((done) =>
          this.#sftp.readdir(handle, (error, list) =>
            isEnd(error) ? done(null, undefined) : done(error, list),
          ),
        )
        if (!some) return
        const known = await Promise.all(some.map((entry) => this.#withType(path, entry)))
        yield known.filter((entry) => entry !== undefined)
      }
    } finally {
      // Who reads the next directory does not wait for it.
      const closing = this.close(handle).catch(ignore)
      this.#closing.add(closing)
      void closing.then(() => this.#closing.delete(closing))
    }
  }

  /** Resolves when the directories that were read are closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing)
  }

  /** Nothing, when it has gone meanwhile. */
  async #withType(directory: string, entry: RemoteEntry): Promise<RemoteEntry | undefined> {
    const { filename } = entry
    if (hasType(entry.attrs)) return entry
    if (filename === '.' || filename === '..') return undefined
    try {
      return { filename, attrs: await this.stat(join(directory, filename)) }
    } catch (error) {
      if (isStatus(error, Status.noSuchFile)) return undefined
      throw error
    }
  }

  /** @param late - given what comes when the signal has fired before it */
  #call<T>(act: (done: Callback<T>) => void, late?: (result: T) => void): Promise<T> {
    return call(act, this.#signal ? [this.#signal, this.#lost] : [this.#lost], late)
  }

  /** Not given up before the connection is. */
  #whole(act: (done: Callback<void>) => void): Promise<void> {
    return call(act, [this.#lost])
  }
}

function call<T>(
  act: (done: Callback<T>) => void,
  signals: readonly AbortSignal[],
  late?: (result: T) => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const onAbort = () => reject(signals.find(({ aborted }) => aborted)?.reason)
  if (signals.some(({ aborted }) => aborted)) {
    onAbort()
    return promise
  }
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true })
  const settle = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', onAbort)
  }
  try {
    act((error, result) => {
      settle()
      if (error) reject(error)
      else if (signals.some(({ aborted }) => aborted)) late?.(result)
      else resolve(result)
    })
  } catch (error) {
    // ssh2 throws what it takes for a mistake: nobody is to be left listening for it.
    settle()
    reject(error)
  }
  return promise
}

function ignore(): void {}

const END_OF_FILE = 1

function isEnd(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === END_OF_FILE
}

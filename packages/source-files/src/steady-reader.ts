import { type BigIntStats, readSync, read as readWithCallback } from 'node:fs'
import { promisify } from 'node:util'
import type { EntryReader, Reading, SourceError } from '@pipe-backup/source'
import { isTelling, mayHideChange } from './clock-tick.ts'
import { toFailure, toSourceError } from './failure.ts'
import { type FileCalls, within } from './file-calls.ts'
import { type Now, run, type Steps, wait } from './steps.ts'

const read = promisify(readWithCallback)

/** Up to here a read from the page cache takes less time than handing it to another thread. */
const SYNC_BYTES = 256 * 1024

export interface SteadyReaderOptions {
  /** The time before `fstat` was asked, in milliseconds since the epoch. */
  readonly startedMs: number
  /** The entry's, for errors. */
  readonly path: Uint8Array
  readonly signal: AbortSignal | undefined
  /** Whether the file may be recognised by its stamps later: not when something of it could not be read. */
  readonly isComplete: boolean
  /** Called when the bytes can't be had after all. */
  readonly onFailure: (() => void) | undefined
}

/** Reads an open file once, and says at the end whether it held still. */
export class SteadyReader implements EntryReader {
  #fd: number
  readonly #before: BigIntStats
  readonly #size: number
  readonly #calls: FileCalls
  readonly #options: SteadyReaderOptions
  #taken = 0
  #ended = false
  #busy: Promise<unknown> | undefined

  /**
   * @param fd - open; the reader closes it.
   * @param before - what `fstat` said when it was opened.
   */
  constructor(fd: number, before: BigIntStats, calls: FileCalls, options: SteadyReaderOptions) {
    this.#fd = fd
    this.#before = before
    this.#size = Number(before.size)
    this.#calls = calls
    this.#options = options
  }

  /**
   * As `EntryReader.read`. At most the size that the file had when it was opened, so that a log that grows as fast
   * as it is read comes to an end; `finish` then reports that it grew. A size of 0 may be a file of /proc: all that comes,
   * while the size stays 0.
   * @throws RangeError when `into` is empty
   */
  read(into: Uint8Array): number | Promise<number> {
    if (into.length === 0) throw new RangeError('read() needs room for at least one byte')
    const wanted = this.#size === 0 ? into.length : Math.min(into.length, this.#size - this.#taken)
    if (this.#ended || wanted === 0) return 0
    this.#options.signal?.throwIfAborted()
    return this.#calls.isLocal && this.#size <= SYNC_BYTES
      ? this.#readNow(into, wanted)
      : this.#readLater(into, wanted)
  }

  finish(): Now<Reading> {
    return run(this.#finish())
  }

  *#finish(): Steps<Reading> {
    let after: BigIntStats
    try {
      after = yield* wait(this.#calls.fstat(this.#fd))
    } catch (cause) {
      throw this.#failed(cause)
    } finally {
      yield* wait(this.#release())
    }
    const before = this.#before
    const { mtimeNs, ctimeNs, ino: inode } = before
    const still = after.size === before.size && after.mtimeNs === mtimeNs && after.ctimeNs === ctimeNs
    if (!still) return { steady: false, mtimeNs: after.mtimeNs }
    // A size of 0 before and after, and yet bytes: a file of /proc, made as it is read. It has no stamps to know it by.
    if (this.#size === 0 && this.#taken > 0) return { steady: true, mtimeNs }
    const { startedMs, isComplete } = this.#options
    if (this.#taken !== this.#size) return { steady: false, mtimeNs }
    // A file without bytes can't be a mixture: what was written to it shows in its size.
    if (this.#size > 0 && mayHideChange(ctimeNs, startedMs)) return { steady: false, mtimeNs }
    if (!isComplete || !isTelling(mtimeNs, startedMs) || !isTelling(ctimeNs, startedMs))
      return { steady: true, mtimeNs }
    return { steady: true, mtimeNs, identity: { ctimeNs, inode } }
  }

  close(): void | Promise<void> {
    // Closed under a read in another thread, its number could be given to another file, and that be read.
    if (this.#busy !== undefined) return this.#releaseAfter(this.#busy)
    return this.#release()
  }

  #readNow(into: Uint8Array, wanted: number): Now<number> {
    try {
      return this.#took(readSync(this.#fd, into, 0, wanted, null))
    } catch (cause) {
      throw this.#failed(cause)
    }
  }

  async #readLater(into: Uint8Array, wanted: number): Promise<number> {
    const { signal } = this.#options
    try {
      const reading = read(this.#fd, into, 0, wanted, null).finally(() => {
        this.#busy = undefined
      })
      this.#busy = reading
      const { bytesRead } = await (this.#calls.isLocal ? reading : within(signal, () => reading))
      signal?.throwIfAborted()
      return await this.#took(bytesRead)
    } catch (cause) {
      if (signal?.aborted) throw signal.reason
      throw this.#failed(cause)
    }
  }

  #took(bytes: number): Now<number> {
    this.#taken += bytes
    if (bytes > 0 && this.#size === 0) return run(this.#tookOfNone(bytes))
    this.#ended = bytes === 0
    return bytes
  }

  *#tookOfNone(bytes: number): Steps<number> {
    const { size } = yield* wait(this.#calls.fstat(this.#fd))
    this.#ended = size > 0n
    return bytes
  }

  #failed(cause: unknown): SourceError {
    const error = toSourceError(toFailure(cause, 'not read'), this.#options.path)
    this.#options.onFailure?.()
    return error
  }

  async #releaseAfter(reading: Promise<unknown>): Promise<void> {
    const released = reading.catch(() => undefined).then(() => this.#release())
    // A read that was given up may never end: its file stays open until it does.
    if (this.#calls.isLocal) await released
    else await within(this.#options.signal, () => released).catch(() => undefined)
  }

  #release(): Now<void> {
    const fd = this.#fd
    this.#fd = -1
    if (fd !== -1) return this.#calls.close(fd)
  }
}

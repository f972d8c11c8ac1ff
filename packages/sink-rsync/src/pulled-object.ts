import { type FileHandle, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkMaxBytes, SinkError } from '@pipe-backup/sink'
import type { Share } from './budget.ts'
import { meansAbsent, type Watch, whatIsThere } from './listing.ts'
import type { MemorySpool } from './memory-spool.ts'
import { spoolError } from './rsync-errors.ts'
import type { RsyncServer } from './rsync-server.ts'
import { ProgramFailure } from './run-program.ts'

/** Room that is taken before the size is known: a pack and more. */
const GUESS_BYTES = 32 * 1024 * 1024
/** How often the file that rsync writes is looked at. */
const LOOK_MS = 20

export interface PullOptions extends Watch {
  /** `corrupt` when the object has more. */
  readonly maxBytes?: number | undefined
}

/** An object on its way into the spool: its bytes can be read as they come, and are what the server has once it has `ended`. */
export class PulledObject implements AsyncDisposable {
  /** Resolves to the size, when rsync has checked the whole object. */
  readonly ended: Promise<number>
  readonly #key: string
  readonly #server: RsyncServer
  readonly #spool: MemorySpool
  readonly #share: Share
  readonly #directory: string
  readonly #path: string
  readonly #given: AbortController = new AbortController()
  readonly #options: PullOptions
  #file: FileHandle | undefined
  #hereBytes = 0
  #over = false
  #changed = Promise.withResolvers<void>()
  #looking: Promise<void> | undefined

  constructor(server: RsyncServer, spool: MemorySpool, key: string, options: PullOptions) {
    this.#server = server
    this.#spool = spool
    this.#key = key
    this.#options = options
    this.#share = spool.down.open()
    this.#directory = spool.newDirectory()
    this.#path = join(spool.path, this.#directory, key)
    this.ended = this.#pull().finally(() => {
      this.#over = true
      this.#changed.resolve()
    })
    // Who reads meets it.
    this.ended.catch(() => undefined)
  }

  /** Waits for more than so many bytes, or the end. @returns how many are here @throws what `ended` rejects with */
  async moreThan(bytes: number): Promise<number> {
    while (this.#hereBytes <= bytes && !this.#over) await this.#changed.promise
    if (this.#over) await this.ended
    return this.#hereBytes
  }

  /** Bytes that are here, in memory of their own. */
  async read(from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let at = 0; at < length; ) {
      const got = (await this.#file?.read(bytes, at, length - at, from + at))?.bytesRead ?? 0
      if (got === 0) throw this.#damaged()
      at += got
    }
    return bytes
  }

  /** Gives it up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#given.abort(new Error('no longer wanted'))
    await this.ended.catch(() => undefined)
    await this.#file?.close()
    await this.#spool.remove(this.#directory)
    this.#share[Symbol.dispose]()
  }

  async #pull(): Promise<number> {
    const { down } = this.#spool
    const signal = this.#options.signal
      ? AbortSignal.any([this.#options.signal, this.#given.signal])
      : this.#given.signal
    const { maxBytes = GUESS_BYTES } = this.#options
    const guess = Math.max(1, Math.min(GUESS_BYTES, down.totalBytes, maxBytes))
    await down.take(this.#share, guess, signal)
    if (!(await this.#tryPull(guess, signal))) {
      this.#share.shrinkTo(0)
      const found = await whatIsThere(this.#server, [this.#key], { ...this.#options, signal })
      const size = found.get(this.#key)?.sizeBytes
      if (size === undefined) throw this.#notFound()
      checkMaxBytes(size, this.#options.maxBytes, { sink: this.#spool.sink, key: this.#key })
      await down.take(this.#share, size, signal)
      if (!(await this.#tryPull(size, signal))) throw this.#damaged()
    }
    this.#share.shrinkTo(this.#hereBytes)
    return this.#hereBytes
  }

  /** @returns false when it has more bytes than that */
  async #tryPull(maxBytes: number, signal: AbortSignal): Promise<boolean> {
    let tooLarge = false
    const looking = setInterval(() => this.#look(), LOOK_MS)
    try {
      await this.#server.run({
        direction: 'pull',
        local: this.#directory,
        options: [
          '--no-implied-dirs',
          '--ignore-missing-args',
          '--whole-file',
          '--ignore-times',
          `--max-size=${maxBytes}`,
          '--info=skip1,progress2',
        ],
        keys: [this.#key],
        signal,
        onLine: (line) => {
          tooLarge ||= line.endsWith('is over max-size')
        },
        ...(this.#options.onHeard && { onHeard: this.#options.onHeard }),
      })
    } catch (error) {
      if (meansAbsent(error)) throw this.#notFound()
      // It is this side that writes here.
      if (error instanceof ProgramFailure && /No space left on device/.test(error.said))
        throw spoolError('ENOSPC', { sink: this.#spool.sink, key: this.#key, cause: error })
      throw error
    } finally {
      clearInterval(looking)
      await this.#looking
    }
    if (tooLarge) return false
    await this.#finish()
    return true
  }

  #look(): void {
    this.#looking ??= this.#findGrown()
      // It was renamed in this moment: the next look finds it.
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined
      })
  }

  /** rsync writes into a temporary file beside its name, which is the only one there is. */
  async #findGrown(): Promise<void> {
    if (!this.#file) {
      const directory = dirname(this.#path)
      const entry = (await readdir(directory, { withFileTypes: true })).find((one) => one.isFile())
      if (!entry) return
      this.#file = await open(join(directory, entry.name), 'r')
    }
    const { size } = await this.#file.stat()
    this.#grow(size)
  }

  #grow(size: number): void {
    if (size <= this.#hereBytes) return
    this.#hereBytes = size
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  /** The file has its name, so rsync has checked it: it must be the one that was read from. */
  async #finish(): Promise<void> {
    const file = await open(this.#path, 'r').catch(() => {
      throw this.#notFound()
    })
    const now = await file.stat()
    const before = await this.#file?.stat()
    if (before?.ino === now.ino) await file.close()
    else if (now.isFile() && this.#hereBytes === 0) {
      await this.#file?.close()
      this.#file = file
    } else {
      await file.close()
      throw now.isFile() ? this.#damaged() : this.#notFound()
    }
    this.#grow(now.size)
  }

  #notFound(): SinkError {
    return new SinkError('not-found', 'is not there', { sink: this.#spool.sink, key: this.#key })
  }

  #damaged(): SinkError {
    return new SinkError('corrupt', 'changed while it was read', { sink: this.#spool.sink, key: this.#key })
  }
}

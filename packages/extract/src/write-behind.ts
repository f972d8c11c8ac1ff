import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { FileBatch } from './file-batch.ts'
import type { Refusal } from './refusals.ts'
import { type Placing, type PlainMetadata, writeSmallFile } from './small-file.ts'
import { isOfWholeTarget } from './target-errors.ts'
import { type BatchOutcome, errorOf } from './write-batch.ts'
import { WritePool } from './write-pool.ts'

/** What is written by threads, and in what pieces. */
export interface WriteLimits {
  /** Threads that write; 0 for none. */
  readonly threads: number
  /** So many files, or so many bytes of them, are written on the thread that extracts before others are started. */
  readonly hereFiles: number
  readonly hereBytes: number
  /** Larger files are not handed over. */
  readonly fileBytes: number
  readonly batchBytes: number
  readonly batchFiles: number
}

const MiB = 1024 * 1024
const MAX_THREADS = 4
/** When one thread waits long for a disk, the others may be so many batches ahead. */
const MAX_AHEAD = 32

/** A thread takes a tenth of a second to start: as long as 1500 files take. All batches together are 9 MiB at most. */
export const WRITE_LIMITS: WriteLimits = {
  threads: availableParallelism() === 1 ? 0 : Math.min(availableParallelism(), MAX_THREADS),
  hereFiles: 500,
  hereBytes: 8 * MiB,
  fileBytes: 256 * 1024,
  batchBytes: MiB,
  batchFiles: 512,
}

export interface WriteBehindOptions {
  readonly limits: WriteLimits
  /** Called for each file that was handed over and is not written. What it throws ends everything. */
  onError(key: string, error: Error): void
  /** Called for each part of a file's metadata that was refused. */
  onRefused(key: string, refusal: Refusal): void
  /** Called for files that were handed over, once they are written. */
  onWritten(files: number, bytes: number): void
}

/** What waits for the files that were handed over before it. */
interface Later {
  readonly after: number
  readonly key: string | undefined
  readonly run: () => void
}

/** A batch that was handed over, or is being filled. */
interface Pending {
  readonly keys: string[]
  outcome?: BatchOutcome
}

/**
 * Small files on their way to threads that write them, and what must wait for that. Batches have numbers, and count as done in their order: what is
 * put off until a batch is done finds all earlier files written. A key is the path of an entry as text, a character for each byte.
 */
export class WriteBehind {
  readonly #limits: WriteLimits
  readonly #options: WriteBehindOptions
  readonly #pool: WritePool
  readonly #changes = new EventTarget()
  #filling: FileBatch | undefined
  #hereFiles = 0
  #hereBytes = 0
  /** The number of the batch that is being filled, or of the next. */
  #number = 1
  #done = 0
  readonly #pending = new Map<number, Pending>()
  readonly #later: Later[] = []
  /** In which batch a file is, or after which something is to be done under a path. */
  readonly #unsettled = new Map<string, number>()
  #failure: { readonly error: unknown } | undefined

  constructor(options: WriteBehindOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#pool = new WritePool({
      threads: options.limits.threads,
      batchBytes: options.limits.batchBytes,
      onOutcome: (number, outcome) => this.#receive(number, outcome),
      onFailure: (error) => this.#fail(error),
    })
  }

  /** Whether a file of so many bytes, with its path, is to be read into memory as a whole, see `memoryFor`. */
  takes(bytes: number, placing: Placing): boolean {
    // To wait for the disk keeps this thread from everything else.
    return bytes <= this.#limits.fileBytes && !(placing === 'synced' && this.#isHere(bytes))
  }

  /** Where the content of a file is to be put, once there is room: more than its size. @throws what has failed */
  memoryFor(path: Buffer, sizeBytes: number): Buffer | Promise<Buffer> {
    const room = this.#filling?.roomFor(path.length)
    return room && room.length > sizeBytes ? room : this.#nextMemoryFor(path)
  }

  /**
   * Takes a file whose content was put there.
   * @returns whether it is written already; otherwise `onWritten` or `onError` is called for it
   * @throws what keeps a file from being written that is written at once
   */
  add(key: string, path: Buffer, contentBytes: number, placing: Placing, metadata: PlainMetadata): boolean {
    if (!this.#filling) throw new Error('a file without memory for it')
    if (this.#isHere(contentBytes)) {
      this.#hereFiles++
      this.#hereBytes += contentBytes
      // Nothing is kept of it: the next one is put in the same place.
      const content = this.#filling.roomFor(path.length).subarray(0, contentBytes)
      for (const refusal of writeSmallFile({ path, placing, metadata, content }))
        this.#options.onRefused(key, refusal)
      return true
    }
    this.#filling.add(path, contentBytes, placing, metadata)
    const { keys } = this.#current()
    keys.push(key)
    this.#unsettled.set(key, this.#number)
    if (keys.length >= this.#limits.batchFiles) this.#send()
    return false
  }

  /**
   * Does something once all files are written that were handed over so far: at once where there are none.
   * @param key - a path that is not settled before
   */
  later(run: () => void, key?: string): void {
    const after = this.#pending.has(this.#number) ? this.#number : this.#number - 1
    if (after <= this.#done) {
      run()
      return
    }
    this.#later.push({ after, key, run })
    if (key !== undefined) this.#unsettled.set(key, after)
  }

  /** Resolves when nothing is under way under a path, nor above it; undefined when nothing is. It rejects with what has failed. */
  settle(key: string): Promise<void> | undefined {
    if (this.#unsettled.size === 0) return undefined
    let last = 0
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1))
      last = Math.max(last, this.#unsettled.get(key.slice(0, end)) ?? 0)
    return last === 0 ? undefined : this.#until(last)
  }

  /** Waits until all is written. @throws what has failed */
  async drain(): Promise<void> {
    await this.#until(this.#number)
    await this.#pool.end()
  }

  /** Ends the threads, each after the file that it is at, and does what was put off, as far as it can be done. */
  async abandon(): Promise<void> {
    this.#failure ??= { error: new Error('the extraction has ended') }
    await this.#pool.end()
    for (const { run } of this.#later.splice(0)) {
      try {
        run()
      } catch {
        // The first failure is the one that is reported.
      }
    }
  }

  /** @throws what has failed */
  check(): void {
    if (this.#failure) throw this.#failure.error
  }

  #isHere(bytes: number): boolean {
    const { threads, hereFiles, hereBytes } = this.#limits
    const isHere = this.#hereFiles < hereFiles && this.#hereBytes + bytes <= hereBytes
    // Never again, once files were handed over.
    return threads === 0 || (isHere && this.#number === 1 && this.#pending.size === 0)
  }

  #current(): Pending {
    let pending = this.#pending.get(this.#number)
    if (!pending) {
      pending = { keys: [] }
      this.#pending.set(this.#number, pending)
    }
    return pending
  }

  /** Hands over what is there, if there is any. */
  #send(): void {
    if (!this.#filling || this.#filling.length === 0) return
    this.#pool.submit(this.#number++, this.#filling.memory, this.#filling.length)
    this.#filling = undefined
  }

  async #nextMemoryFor(path: Buffer): Promise<Buffer> {
    this.#send()
    for (;;) {
      this.check()
      const memory = this.#number - this.#done <= MAX_AHEAD ? this.#pool.takeMemory() : undefined
      if (memory) {
        this.#filling = new FileBatch(memory)
        return this.#filling.roomFor(path.length)
      }
      await this.#change()
    }
  }

  async #until(number: number): Promise<void> {
    if (number >= this.#number) this.#send()
    while (this.#done < Math.min(number, this.#number - 1)) {
      this.check()
      await this.#change()
    }
    this.check()
  }

  #receive(number: number, outcome: BatchOutcome): void {
    const pending = this.#pending.get(number)
    if (pending) pending.outcome = outcome
    try {
      this.#reportFull(pending?.keys ?? [], outcome)
      while (this.#failure === undefined && this.#finishNext());
    } catch (error) {
      this.#fail(error)
    }
    this.#changes.dispatchEvent(new Event('change'))
  }

  /** What all others would fail for too is reported before its turn. */
  #reportFull(keys: readonly string[], { failures }: BatchOutcome): void {
    for (const failure of failures) {
      const error = errorOf(failure)
      if (isOfWholeTarget(error)) this.#options.onError(keys[failure.index] ?? '', error)
    }
  }

  /** The next batch in order, if its outcome is known. */
  #finishNext(): boolean {
    const number = this.#done + 1
    const pending = this.#pending.get(number)
    if (!pending?.outcome) return false
    const { keys, outcome } = pending
    this.#pending.delete(number)
    this.#done = number
    for (const key of keys) if (this.#unsettled.get(key) === number) this.#unsettled.delete(key)
    this.#options.onWritten(outcome.files, outcome.bytes)
    for (const { index, refusal } of outcome.refusals) this.#options.onRefused(keys[index] ?? '', refusal)
    for (const failure of outcome.failures) this.#options.onError(keys[failure.index] ?? '', errorOf(failure))
    while (this.#later[0] && this.#later[0].after <= number) {
      const { key, run } = this.#later[0]
      this.#later.shift()
      if (key !== undefined) this.#unsettled.delete(key)
      run()
    }
    return true
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#changes.dispatchEvent(new Event('change'))
  }

  async #change(): Promise<void> {
    await once(this.#changes, 'change')
  }
}

import type { Readable } from 'node:stream'
import { type EntryReader, type Reading, SourceError } from '@pipe-backup/source'
import { execa } from 'execa'
import type { CommandOptions } from './command.ts'
import { LastLines } from './last-lines.ts'

const TAIL_BYTES = 512
/** How long a program that was asked to end may take before it is killed. */
const FORCE_KILL_MS = 5000

interface Ending {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly message?: string | undefined
}

/** One run of a program, its output read as it comes. */
export class ProgramReader implements EntryReader {
  readonly #options: CommandOptions
  readonly #started: bigint
  readonly #shownAs: string
  readonly #pid: number | undefined
  readonly #output: AsyncIterator<Uint8Array>
  readonly #complaints: LastLines
  readonly #ended: Promise<Ending>
  readonly #tail = Buffer.alloc(TAIL_BYTES)
  #tailBytes = 0
  #piece: Uint8Array = new Uint8Array()
  #closed = false
  readonly #onAbort = () => this.#kill('SIGTERM')

  constructor(program: string, args: readonly string[], options: CommandOptions, started: bigint) {
    this.#options = options
    this.#started = started
    this.#shownAs = options.shownAs ?? program
    const child = execa(program, args, {
      stdin: options.input ? 'pipe' : 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      encoding: 'buffer',
      reject: false,
      // A group of its own: what the program started ends with it.
      detached: true,
      cleanup: false,
      ...(options.input && { input: options.input }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.env && { env: { ...options.env } }),
    })
    this.#pid = child.pid
    this.#output = (child.stdout as Readable)[Symbol.asyncIterator]()
    this.#complaints = new LastLines(child.stderr as Readable, options.ignoreComplaint)
    this.#ended = child.then((result) => ({
      exitCode: result.exitCode,
      signal: result.signal,
      message: result.originalMessage,
    }))
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#kill('SIGTERM')
  }

  read(into: Uint8Array): number | Promise<number> {
    return this.#piece.length > 0 ? this.#copy(into) : this.#next(into)
  }

  async #next(into: Uint8Array): Promise<number> {
    let step: IteratorResult<Uint8Array>
    try {
      step = await this.#output.next()
    } catch (cause) {
      this.#options.signal?.throwIfAborted()
      throw new SourceError('command-failed', `${this.#shownAs}: its output can't be read`, {
        path: this.#options.path,
        cause,
      })
    }
    this.#options.signal?.throwIfAborted()
    if (step.done) return 0
    this.#piece = step.value
    return step.value.length === 0 ? this.#next(into) : this.#copy(into)
  }

  #copy(into: Uint8Array): number {
    const length = Math.min(into.length, this.#piece.length)
    const bytes = this.#piece.subarray(0, length)
    into.set(bytes)
    this.#piece = this.#piece.subarray(length)
    this.#keepTail(bytes)
    if (this.#piece.length === 0) freeWhole(bytes)
    return length
  }

  #keepTail(bytes: Uint8Array): void {
    const kept = Math.min(this.#tailBytes, Math.max(0, TAIL_BYTES - bytes.length))
    this.#tail.copyWithin(0, this.#tailBytes - kept, this.#tailBytes)
    const last = bytes.subarray(-(TAIL_BYTES - kept))
    this.#tail.set(last, kept)
    this.#tailBytes = kept + last.length
  }

  async finish(): Promise<Reading> {
    const { exitCode, signal, message } = await this.#ended
    await this.#complaints.drained
    this.#options.signal?.throwIfAborted()
    if (exitCode !== 0) {
      const how = signal
        ? `was ended by ${signal}`
        : exitCode === undefined
          ? `could not be started (${message ?? ''})`
          : `exited with ${exitCode}`
      const said = this.#complaints.text
      throw new SourceError('command-failed', `${this.#shownAs} ${how}${said && `: ${said}`}`, {
        path: this.#options.path,
      })
    }
    this.#options.checkTail?.(this.#tail.subarray(0, this.#tailBytes))
    this.#release()
    return { steady: true, mtimeNs: this.#started }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#release()
    this.#kill('SIGTERM')
    const timer = setTimeout(() => this.#kill('SIGKILL'), FORCE_KILL_MS)
    await this.#output.return?.()
    await this.#ended
    clearTimeout(timer)
  }

  #release(): void {
    this.#closed = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) return
    try {
      process.kill(-this.#pid, signal)
    } catch {
      // It has ended.
    }
  }
}

/**
 * A dump of gigabytes comes in pieces of 64 KiB: left to the collector they would be tens of megabytes at any time. Small ones
 * are a part of memory that they share.
 */
function freeWhole({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}

import { userInfo } from 'node:os'
import { type Entry, type FileEntry, type Source, SourceError } from '@pipe-backup/source'
import { ProgramReader } from './program-reader.ts'

export interface CommandOptions {
  /** Path of the entry, `/`-separated. */
  readonly path: string
  /** Working directory. Default: this process's. */
  readonly cwd?: string | undefined
  /** Environment variables besides those of this process; `undefined` takes one of those away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** What the program gets on standard input. Default nothing: it finds the end at once. */
  readonly input?: Uint8Array | undefined
  /** What a complaint calls the program. Default its name. */
  readonly shownAs?: string | undefined
  /** Lines of standard error that are no cause of a failure: left out of its message. */
  readonly ignoreComplaint?: RegExp | undefined
  /**
   * Looks at the last bytes of the output of a program that ended well.
   * @throws SourceError `truncated` when the end is not as it should be
   */
  readonly checkTail?: ((tail: Uint8Array) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The standard output of a program, as a file entry of a length that is known only at the end. The program runs when the entry is opened.
 * Reading it fails with SourceError `command-failed` when the program can't be started, exits with another code than 0, or is ended by a signal;
 * the last lines that it wrote to standard error are in the message.
 * @param run - program and arguments; there is no shell between
 */
export function command(run: readonly string[], options: CommandOptions): AsyncIterable<Entry> {
  const [program, ...args] = run
  if (program === undefined || program === '') throw new TypeError('a command must name a program')
  return {
    async *[Symbol.asyncIterator]() {
      options.signal?.throwIfAborted()
      const { uid, gid, username } = userInfo()
      const started = BigInt(Date.now()) * 1_000_000n
      const entry: FileEntry = {
        type: 'file',
        path: Buffer.from(options.path),
        mode: 0o600,
        uid,
        gid,
        user: username,
        group: '',
        mtimeNs: started,
        size: undefined,
        open: () => new ProgramReader(program, args, options, started),
      }
      yield entry
    },
  }
}

/** `command()` as a named source. */
export function commandSource(
  options: { readonly name: string; readonly run: readonly string[] } & Omit<CommandOptions, 'signal'>,
): Source {
  const { name, run, ...rest } = options
  command(run, rest)
  return {
    name,
    entries: (context) => command(run, { ...rest, signal: context?.signal }),
  }
}

/**
 * Runs a program to its end and gives what it wrote, up to a bound.
 * @throws SourceError `command-failed`
 */
export async function outputOf(
  run: readonly string[],
  options: Omit<CommandOptions, 'path'>,
  maxBytes: number = 16 * 1024 * 1024,
): Promise<Buffer> {
  const [program = '', ...args] = run
  const reader = new ProgramReader(program, args, { ...options, path: program }, 0n)
  try {
    const pieces: Buffer[] = []
    for (let total = 0; ; ) {
      const piece = Buffer.alloc(64 * 1024)
      const got = await reader.read(piece)
      if (got === 0) break
      total += got
      if (total > maxBytes)
        throw new SourceError(
          'command-failed',
          `${options.shownAs ?? program} wrote more than ${maxBytes} bytes`,
        )
      pieces.push(piece.subarray(0, got))
    }
    await reader.finish()
    return Buffer.concat(pieces)
  } finally {
    await reader.close()
  }
}

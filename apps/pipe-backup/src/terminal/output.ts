import { pipeline } from 'node:stream/promises'
import { styleText } from 'node:util'
import { redact } from '../secrets/redact.ts'

/** What a command may say, and where it goes. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean
  readonly verbose: boolean
  /** Lines for people: not with --json, not with --quiet. */
  readonly print: (text: string) => void
  /** One JSON document, or one of several lines, on standard output: only with --json. */
  readonly printJson: (value: unknown) => void
  /** Something that went wrong: one line, always shown. */
  readonly error: (line: string) => void
  /** Something to look at: one line, not with --quiet. */
  readonly warn: (line: string) => void
  /** Something that helps to understand: one line, with --verbose alone. */
  readonly note: (line: string) => void
  /**
   * Bytes or text to standard output, as fast as they are taken there.
   * @throws an error with code EPIPE when nobody reads them any more
   */
  readonly stream: (content: AsyncIterable<string | Uint8Array>, signal: AbortSignal) => Promise<void>
  /** While something is drawn at the terminal's last lines: how to take it away before a line and draw it again. */
  around: ((write: () => void) => void) | undefined
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

/** How many lines are remembered, so that none is given twice. */
const MAX_REMEMBERED = 1000

export function createOutput({ json, quiet, verbose }: OutputOptions): Output {
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    const now = (): void => void stream.write(`${text}\n`)
    if (output.around === undefined) now()
    else output.around(now)
  }
  const say = (line: string): void => write(process.stderr, redact(line))
  const style = (format: 'red' | 'yellow', word: string): string =>
    styleText(format, word, { stream: process.stderr })
  const said = new Set<string>()
  const once = (line: string): void => {
    // Several steps of one command meet the same sink that is down: once is enough.
    if (said.has(line)) return
    if (said.size < MAX_REMEMBERED) said.add(line)
    say(line)
  }
  const output: Output = {
    json,
    verbose,
    around: undefined,
    print: (text) => {
      if (!json && !quiet) write(process.stdout, text)
    },
    printJson: (value) => {
      if (json) write(process.stdout, JSON.stringify(value))
    },
    error: (line) => once(`${style('red', 'pipe-backup:')} ${line}`),
    warn: (line) => {
      if (!quiet) once(`${style('yellow', 'warning:')} ${line}`)
    },
    note: (line) => {
      if (verbose) say(line)
    },
    stream: async (content, signal) => await pipeline(content, process.stdout, { end: false, signal }),
  }
  return output
}

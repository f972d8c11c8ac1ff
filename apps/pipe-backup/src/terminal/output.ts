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

/** How many warnings are remembered, so that none is given twice. */
const MAX_REMEMBERED = 1000

export function createOutput({ json, quiet, verbose }: OutputOptions): Output {
  const say = (line: string): void => {
    const write = (): void => void process.stderr.write(`${redact(line)}\n`)
    if (output.around === undefined) write()
    else output.around(write)
  }
  const style = (format: 'red' | 'yellow', word: string): string =>
    styleText(format, word, { stream: process.stderr })
  const warned = new Set<string>()
  const output: Output = {
    json,
    verbose,
    around: undefined,
    print: (text) => {
      if (!json && !quiet) process.stdout.write(`${text}\n`)
    },
    printJson: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`)
    },
    error: (line) => say(`${style('red', 'pipe-backup:')} ${line}`),
    warn: (line) => {
      if (quiet || warned.has(line)) return
      // Several steps of one command meet the same sink that is down: once is enough.
      if (warned.size < MAX_REMEMBERED) warned.add(line)
      say(`${style('yellow', 'warning:')} ${line}`)
    },
    note: (line) => {
      if (verbose) say(line)
    },
    stream: async (content, signal) => await pipeline(content, process.stdout, { end: false, signal }),
  }
  return output
}

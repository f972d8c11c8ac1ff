import { pipeline } from 'node:stream/promises'
import { styleText } from 'node:util'
import { redact } from '../secrets/redact.ts'
import { type LogDetails, type LogLevel, type LogSubject, logRecord } from './json-log.ts'

/** What a command may say, and where it goes. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean
  readonly verbose: boolean
  /** Whether standard error is a log of JSON lines. */
  readonly logsJson: boolean
  /** Lines for people: not with --json, not with --quiet. */
  readonly print: (text: string) => void
  /** One JSON document, or one of several lines, on standard output: only with --json. */
  readonly printJson: (value: unknown) => void
  /** What a command did, in its last words: lines for people or, with --json, a document; with --log-json a record of the log. */
  readonly report: (text: string, value: unknown) => void
  /** Something that went wrong: one line, always shown. @param details - for --log-json */
  readonly error: (line: string, details?: LogDetails) => void
  /** Something to look at: one line, not with --quiet. @param details - for --log-json */
  readonly warn: (line: string, details?: LogDetails) => void
  /** Something that helps to understand: one line, with --verbose alone. @param details - for --log-json */
  readonly note: (line: string, details?: LogDetails) => void
  /** Something that only a log is to have: with --log-json alone; with --quiet only what is an error. */
  readonly log: (level: LogLevel, line: string, details: LogDetails) => void
  /**
   * Bytes or text to standard output, as fast as they are taken there.
   * @throws an error with code EPIPE when nobody reads them any more
   */
  readonly stream: (content: AsyncIterable<string | Uint8Array>, signal: AbortSignal) => Promise<void>
  /** While something is drawn at the terminal's last lines: how to take it away before a line and draw it again. */
  around: ((write: () => void) => void) | undefined
  /** What all that is logged is about, once the configuration is read. */
  subject: LogSubject | undefined
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** Standard error gets one JSON object a line, and so do the reports of commands that move data. */
  readonly logJson: boolean
}

/** How many lines are remembered, so that none is given twice. */
const MAX_REMEMBERED = 1000

/** With --log-json what these print is part of the log. All others are asked for what they print. */
const LOGGED: ReadonlySet<string> = new Set([
  'run',
  'send',
  'restore',
  'verify',
  'heal',
  'prune',
  'forget',
  'scheduled',
  'daemon',
])

/** @param command - its name, as it is typed */
export function createOutput({ json, quiet, verbose, logJson }: OutputOptions, command?: string): Output {
  const isLogged = logJson && command !== undefined && LOGGED.has(command)
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    const now = (): void => void stream.write(`${text}\n`)
    if (output.around === undefined) now()
    else output.around(now)
  }
  const record = (level: LogLevel, line: string, details: LogDetails = {}): void =>
    write(process.stderr, logRecord(level, command, line, { ...output.subject, ...details }))
  const say = (level: LogLevel, mark: string, line: string, details?: LogDetails): void =>
    logJson ? record(level, line, details) : write(process.stderr, redact(mark + line))
  const style = (format: 'red' | 'yellow', word: string): string =>
    logJson ? '' : `${styleText(format, word, { stream: process.stderr })} `
  const said = new Set<string>()
  const once: typeof say = (level, mark, line, details) => {
    // Several steps of one command meet the same sink that is down: once is enough.
    const words = `${level} ${line}`
    if (said.has(words)) return
    if (said.size < MAX_REMEMBERED) said.add(words)
    say(level, mark, line, details)
  }
  const output: Output = {
    json,
    verbose,
    logsJson: logJson,
    around: undefined,
    subject: undefined,
    print: (text) => {
      if (json || quiet) return
      if (isLogged) record('info', text)
      else write(process.stdout, text)
    },
    printJson: (value) => {
      if (json) write(process.stdout, JSON.stringify(value))
    },
    report: (text, value) => {
      output.printJson(value)
      if (!isLogged) output.print(text)
      else if (!quiet) record('info', text, { event: 'report', report: value })
    },
    error: (line, details) => once('error', style('red', 'pipe-backup:'), line, details),
    warn: (line, details) => {
      if (!quiet) once('warning', style('yellow', 'warning:'), line, details)
    },
    note: (line, details) => {
      if (verbose) say('debug', '', line, details)
    },
    log: (level, line, details) => {
      if (logJson && (!quiet || level === 'error')) record(level, line, details)
    },
    stream: async (content, signal) => await pipeline(content, process.stdout, { end: false, signal }),
  }
  return output
}

import { ifSet } from '../config/if-set.ts'
import { redact } from '../secrets/redact.ts'
import { escapeControls } from './escape-bytes.ts'
import type { Output } from './output.ts'

/** What can be said of a failure, whatever threw it. */
export interface Failure {
  readonly exitCode: number
  readonly code: string
  /** One line each, the first is the message. */
  readonly lines: readonly string[]
  readonly hint: string | undefined
  /** Set for what nobody foresaw. */
  readonly stack?: string | undefined
}

/** Errors of ours that a person can repair, by name: configuration and usage are 2, all others 1. */
const EXIT_CODES: ReadonlyMap<string, number> = new Map([
  ['UsageError', 2],
  ['ConfigError', 2],
  ['SecureFileError', 2],
  ['SinkError', 1],
  ['SourceError', 1],
  ['VaultError', 1],
  ['ArchiveError', 1],
  ['CryptoError', 1],
  ['ExtractError', 1],
  ['CommandError', 1],
])

/** As for any program that Ctrl-C ended: 128 + SIGINT. */
const CANCELLED = 130

/** Sorts an error: one of ours, the operating system's, an abort, or a bug. */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return bug(new Error(String(error)))
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (error.name === 'AbortError')
    return { exitCode: 1, code: 'aborted', lines: [oneLine(error.message)], hint: undefined }
  const exitCode = code === 'cancelled' ? CANCELLED : EXIT_CODES.get(error.name)
  if (exitCode !== undefined && code !== undefined) {
    const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
    return { exitCode, code, lines: messagesOf(error), hint: ifSet(hint, oneLine) }
  }
  // `EACCES: permission denied, open '/x'` says it all: it is the machine's doing, not a bug.
  if (code !== undefined && 'syscall' in error) {
    return { exitCode: 1, code: code.toLowerCase(), lines: [oneLine(error.message)], hint: undefined }
  }
  return bug(error)
}

/** Reports an error on standard error, and with --json on standard output. @returns the exit code */
export function reportError(error: unknown, output: Output): number {
  const failure = describeFailure(error)
  const { code, hint, lines, stack, exitCode } = failure
  output.printJson({
    error: { code, message: redact(lines.join('\n')), hint: ifSet(hint, redact) },
  })
  const details = { event: 'failure', code, exitCode } as const
  // The hint belongs to all of them, and is a field of the last: a log has it once, a terminal on a line of its own.
  for (const [at, line] of lines.entries())
    output.error(line, at === lines.length - 1 ? { ...details, hint } : details)
  if (hint !== undefined && !output.logsJson) output.error(hint)
  if (stack !== undefined)
    output.error(`this is a bug in pipe-backup; please report it with this text:\n${stack}`, details)
  return exitCode
}

/** A ConfigError reports several mistakes at once. */
function messagesOf(error: Error): readonly string[] {
  const lines: readonly unknown[] =
    'lines' in error && Array.isArray(error.lines) ? error.lines : [error.message]
  return lines.map((line) => oneLine(String(line)))
}

function bug(error: Error): Failure {
  return {
    exitCode: 1,
    code: 'bug',
    lines: [oneLine(error.message)],
    hint: undefined,
    stack: error.stack ?? String(error),
  }
}

/** Messages may quote names of files and what servers answered: neither may break the line or speak to the terminal. */
function oneLine(message: string): string {
  return escapeControls(message)
}

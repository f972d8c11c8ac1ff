import { redact } from '../secrets/redact.ts'

/** What a record is about, and what it has besides; docs/monitoring.md has the same table. */
export const LOG_EVENTS = {
  start: 'A command has read its configuration and begins',
  end: 'The command has ended: `exitCode`, `seconds`; level `warning` for exit code 3, `error` for others than 0',
  report: 'What the command did: `report` is what it prints with `--json`',
  sink: 'A sink failed, or something on it: `sink`, `code`',
  source: 'A source failed: `source`',
  entry: 'A file or directory could not be backed up or restored: `path`, `code`',
  damage: 'An object is missing or damaged: `sink` and `key`, or `key` alone where no sink holds it intact',
  failure: 'The command failed as a whole: `code`, `exitCode`',
  stop: 'A signal has come: the command stops',
  'next-run': 'When `daemon` backs up next: `next`',
  message: 'Anything else',
} as const

export type LogEvent = keyof typeof LOG_EVENTS

export type LogLevel = 'error' | 'warning' | 'info' | 'debug'

/** What a record has besides its message. What is not set is left out. */
export interface LogDetails {
  readonly event?: LogEvent | undefined
  /** In the place of the line that a terminal gets: without the sink's or source's name, and without the hint. */
  readonly message?: string | undefined
  /** What to do about it. */
  readonly hint?: string | undefined
  readonly sink?: string | undefined
  readonly source?: string | undefined
  readonly path?: string | undefined
  readonly key?: string | undefined
  readonly code?: string | undefined
  readonly exitCode?: number | undefined
  readonly seconds?: number | undefined
  readonly next?: string | undefined
  readonly report?: unknown
}

/** Which vault, of which host, the records of a command are about. */
export interface LogSubject {
  readonly vault: string
  readonly host: string
}

/** Container runtimes split a line that is longer than 16 KiB, journald one of 48 KiB; neither piece is JSON. */
const MAX_RECORD_BYTES = 16 * 1024
const MAX_MESSAGE_CHARACTERS = 2000

/**
 * One record of a log as a line of JSON, without a line break, at most 16 KiB long: a report that does not fit is left out, and `truncated` is true.
 * Secrets that were read from the configuration are taken out of every text in it.
 * @param command - as it is typed; undefined before that is known
 */
export function logRecord(
  level: LogLevel,
  command: string | undefined,
  line: string,
  details: LogDetails & Partial<LogSubject> = {},
  now: Date = new Date(),
): string {
  const { event = 'message', message = line, report, vault, host, ...more } = details
  const record = { time: now.toISOString(), level, command, event, vault, host, message, ...more }
  const whole = toJson({ ...record, report })
  if (Buffer.byteLength(whole) <= MAX_RECORD_BYTES) return whole
  const cut = (text: string | undefined): string | undefined => text?.slice(0, MAX_MESSAGE_CHARACTERS)
  return toJson({
    ...record,
    message: cut(message),
    hint: cut(more.hint),
    path: cut(more.path),
    truncated: true,
  })
}

/** Before the text is JSON: a secret with a quote in it has another form there. */
function toJson(record: object): string {
  return JSON.stringify(record, (_key, value: unknown) => (typeof value === 'string' ? redact(value) : value))
}

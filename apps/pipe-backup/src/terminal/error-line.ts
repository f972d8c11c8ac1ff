import type { LogDetails } from './json-log.ts'

/** What is known of an error of ours. */
interface OurError {
  readonly message: string
  readonly hint?: unknown
  readonly code?: unknown
}

/** An error of ours in one line: what happened, and what to do about it where it says so. */
export function errorLine(error: OurError): string {
  const hint = typeof error.hint === 'string' ? ` ${error.hint}` : ''
  const end = hint === '' || /[.!?]$/.test(error.message) ? '' : '.'
  return `${error.message}${end}${hint}`
}

/** An error for a log: its parts in fields of their own. */
function errorDetails({ message, hint, code }: OurError, more: LogDetails = {}): LogDetails {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  return { message, hint: text(hint), code: text(code), ...more }
}

/** A line about a sink, naming it unless the message does. */
export function sinkLine(sink: string, message: string): string {
  return message.includes(`"${sink}"`) ? message : `sink "${sink}": ${message}`
}

/** What went wrong with a sink, as `Output` takes it: the line, and its parts for a log. @param sink - undefined where it is no single one's affair */
export function sinkProblem(sink: string | undefined, error: OurError): [line: string, details: LogDetails] {
  if (sink === undefined) return [errorLine(error), errorDetails(error)]
  return [sinkLine(sink, errorLine(error)), errorDetails(error, { event: 'sink', sink })]
}

/** That a sink has failed by a report, as `Output` takes it. */
export function sinkFailure(sink: {
  readonly name: string
  readonly error?: string | undefined
  readonly hint?: string | undefined
}): [line: string, details: LogDetails] {
  return sinkProblem(sink.name, { message: sink.error ?? 'failed', hint: sink.hint })
}

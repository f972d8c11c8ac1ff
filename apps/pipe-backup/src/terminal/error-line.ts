/** An error of ours in one line: what happened, and what to do about it where it says so. */
export function errorLine(error: { readonly message: string; readonly hint?: unknown }): string {
  const hint = typeof error.hint === 'string' ? ` ${error.hint}` : ''
  const end = hint === '' || /[.!?]$/.test(error.message) ? '' : '.'
  return `${error.message}${end}${hint}`
}

/** A line about a sink, naming it unless the message does. */
export function sinkLine(sink: string, message: string): string {
  return message.includes(`"${sink}"`) ? message : `sink "${sink}": ${message}`
}

/** The line about a sink that a report says has failed. */
export function failureLine(sink: {
  readonly name: string
  readonly error?: string | undefined
  readonly hint?: string | undefined
}): string {
  return sinkLine(sink.name, errorLine({ message: sink.error ?? 'failed', hint: sink.hint }))
}

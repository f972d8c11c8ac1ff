/** An error of ours in one line: what happened, and what to do about it where it says so. */
export function errorLine(error: Error): string {
  const hint = 'hint' in error && typeof error.hint === 'string' ? ` ${error.hint}` : ''
  const end = hint === '' || /[.!?]$/.test(error.message) ? '' : '.'
  return `${error.message}${end}${hint}`
}

/** A line about a sink, naming it unless the message does. */
export function sinkLine(sink: string, message: string): string {
  return message.includes(`"${sink}"`) ? message : `sink "${sink}": ${message}`
}

/** What a report says of something that failed. */
export interface Failure {
  /** One line. */
  readonly error: string
  /** What to do about it. */
  readonly hint?: string | undefined
}

/** For a report, which may become JSON. */
export function toFailure(error: Error): Failure {
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
  return { error: error.message, hint }
}

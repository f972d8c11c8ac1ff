import { toError } from '@pipe-backup/sink'
/** What `doctor` has found of one thing. */
export interface Finding {
  readonly state: 'ok' | 'warning' | 'failure'
  /** One line. */
  readonly message: string
  /** What to do. */
  readonly hint?: string | undefined
}

/** Of what. */
export interface Examined extends Finding {
  readonly subject: string
}

/** What a check that threw has found. */
export function failureOf(reason: unknown): Finding {
  const error = toError(reason)
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
  return { state: 'failure', message: error.message, hint }
}

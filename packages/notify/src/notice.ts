/** What a notice is about: `failure` and `warning` that something is bad, `recovery` that it is well again, `success` that all is well. */
export type Level = 'failure' | 'warning' | 'recovery' | 'success'

/** Something that a person is reported. */
export interface Notice {
  readonly level: Level
  /** What it is about: `run`, `sink aws`, `source wallet` … */
  readonly subject: string
  /** One line: what is, or was, wrong. */
  readonly message: string
  /** What to do. */
  readonly hint?: string | undefined
  /** Since when it has been bad, ISO 8601. */
  readonly since?: string | undefined
}

/** A channel that could not deliver. The message is one line, and holds no secret. */
export class NotifyError extends Error {
  override readonly name = 'NotifyError'
  readonly code = 'not-delivered'
  readonly hint: string | undefined
  /** Whether it may work in a moment. */
  readonly isPassing: boolean
  /** What an HTTP server has answered. */
  readonly status: number | undefined

  constructor(
    message: string,
    options: {
      readonly hint?: string | undefined
      readonly isPassing?: boolean | undefined
      readonly status?: number | undefined
    } = {},
  ) {
    super(message)
    this.hint = options.hint
    this.status = options.status
    this.isPassing = options.isPassing ?? false
  }
}

const WORST_FIRST: readonly Level[] = ['failure', 'warning', 'recovery', 'success']
const HEADINGS: Readonly<Record<Level, string>> = {
  failure: 'FAILED',
  warning: 'needs a look',
  recovery: 'works again',
  success: 'ok',
}

/** The worst of some notices. */
export function levelOf(notices: readonly Notice[]): Level {
  return WORST_FIRST.find((level) => notices.some((notice) => notice.level === level)) ?? 'success'
}

/** One line for all of them. @param origin - the vault and the host */
export function titleOf(origin: string, notices: readonly Notice[]): string {
  const level = levelOf(notices)
  const worst = notices.filter((notice) => notice.level === level)
  const more = notices.length > worst.length || worst.length > 1 ? ` and ${notices.length - 1} more` : ''
  return `pipe-backup ${origin}: ${worst[0]?.subject ?? ''} ${HEADINGS[level]}${more}`
}

/** Plain text: what failed, since when, and what to do. */
export function textOf(notices: readonly Notice[]): string {
  return notices
    .toSorted((a, b) => WORST_FIRST.indexOf(a.level) - WORST_FIRST.indexOf(b.level))
    .map(({ level, subject, message, hint, since }) =>
      [
        `${subject} ${HEADINGS[level]}: ${message}`,
        ...(since === undefined ? [] : [`  since ${since}`]),
        ...(hint === undefined || level === 'recovery' ? [] : [`  what to do: ${hint}`]),
      ].join('\n'),
    )
    .join('\n\n')
}

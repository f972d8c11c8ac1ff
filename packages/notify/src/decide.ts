import type { Level, Notice } from './notice.ts'

/** How something was found: a run, a sink, a source. */
export interface Observation {
  /** What it is about: the same name each time. */
  readonly subject: string
  readonly state: 'ok' | 'warning' | 'failure'
  /** One line: what is wrong, or for `ok` what is well. */
  readonly message: string
  readonly hint?: string | undefined
}

interface Bad {
  readonly level: 'warning' | 'failure'
  readonly message: string
  /** ISO 8601. */
  readonly since: string
  readonly notifiedAt: string
}

/** What is bad, by subject, and when somebody was notified last. JSON. */
export type Reminders = Readonly<Record<string, Bad>>

export interface Decision {
  readonly reminders: Reminders
  readonly notices: readonly Notice[]
}

const DAY_MS = 86_400_000
/** A daily run that comes some minutes early still reminds. */
const AGAIN_MS = DAY_MS - 15 * 60_000

/**
 * Decides what people are notified of now: what has become bad, or worse, at once; what stays bad once a day; what is well again, once; and that
 * a thing is well for those who want to hear it each time. Pure.
 */
export function decide(reminders: Reminders, observations: readonly Observation[], now: Date): Decision {
  const next: Record<string, Bad> = { ...reminders }
  const notices: Notice[] = []
  for (const observation of observations) {
    const { subject, state, message, hint } = observation
    const known = next[subject]
    const reported = { subject, message, hint }
    if (state === 'ok') {
      if (known)
        notices.push({ level: 'recovery', ...reported, message: `was: ${known.message}`, since: known.since })
      else notices.push({ level: 'success', ...reported })
      delete next[subject]
      continue
    }
    const isWorse = known?.level === 'warning' && state === 'failure'
    const since = known?.since ?? now.toISOString()
    const sinceNoticeMs = known ? now.getTime() - Date.parse(known.notifiedAt) : Number.POSITIVE_INFINITY
    // A clock that was set back is no reason to keep quiet for years.
    const isDue = isWorse || sinceNoticeMs >= AGAIN_MS || sinceNoticeMs < 0
    if (isDue) notices.push({ level: state, ...reported, since })
    next[subject] = {
      level: state,
      message,
      since,
      notifiedAt: isDue || !known ? now.toISOString() : known.notifiedAt,
    }
  }
  return { reminders: next, notices }
}

const DEFAULT_LEVELS: readonly Level[] = ['failure', 'warning', 'recovery']

/** Which notices a channel hears of. */
export function wantedBy(on: readonly Level[] | undefined, notices: readonly Notice[]): Notice[] {
  const levels = on ?? DEFAULT_LEVELS
  return notices.filter(({ level }) => levels.includes(level))
}

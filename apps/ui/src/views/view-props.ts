import type { Session } from '../api.ts'

/** What every view is given. */
export interface ViewProps {
  readonly session: Session
  /** Asks again how the session stands: a phrase was given. */
  readonly onSession: () => void
  /** How many tasks have ended: what they may have changed is asked for again. */
  readonly taskEnds: number
  /** What is behind the view's name in the address. */
  readonly rest: readonly string[]
}

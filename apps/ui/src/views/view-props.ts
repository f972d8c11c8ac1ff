import type { Session } from '../api.ts'
import type { TaskView } from '../use-task.ts'

/** What every view is given. */
export interface ViewProps {
  /** What was started last, as far as it has come. */
  readonly task: TaskView
  readonly session: Session
  /** Asks again how the session stands: a phrase was given. */
  readonly onSession: () => void
  /** How many tasks have ended: what they may have changed is asked for again. */
  readonly taskEnds: number
  /** What is behind the view's name in the address. */
  readonly rest: readonly string[]
}

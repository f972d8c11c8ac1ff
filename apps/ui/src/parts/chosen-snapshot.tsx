import type { ComponentChildren } from 'preact'
import type { Snapshot, Snapshots } from '../api.ts'
import { useAnswer } from '../use-answer.ts'
import type { ViewProps } from '../views/view-props.ts'
import { Answered } from './answered.tsx'
import { Warnings } from './notice.tsx'

/** The snapshot that the address names, or the newest, with the others to choose from. @param why - the phrase may be wanted */
export function ChosenSnapshot({
  rest: [id],
  onSession,
  taskEnds,
  why,
  children,
}: ViewProps & {
  readonly why: string
  readonly children: (snapshots: readonly Snapshot[], chosen: Snapshot) => ComponentChildren
}) {
  const answer = useAnswer<Snapshots>('snapshots', taskEnds)
  return (
    <Answered answer={answer} why={why} onSession={onSession}>
      {({ snapshots, warnings }) => {
        const chosen = snapshots.find((snapshot) => snapshot.id === id) ?? snapshots[0]
        return (
          <>
            <Warnings lines={warnings} />
            {chosen === undefined ? (
              <p>There is no snapshot yet: start a run under Actions.</p>
            ) : (
              children(snapshots, chosen)
            )}
          </>
        )
      }}
    </Answered>
  )
}

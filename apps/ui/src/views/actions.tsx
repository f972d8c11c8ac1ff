import { useState } from 'preact/hooks'
import type { TaskKind } from '../api.ts'
import { type AskError, send } from '../ask.ts'
import { Failure } from '../parts/notice.tsx'
import { toAskError } from '../use-answer.ts'
import { TaskSection } from './task-section.tsx'
import type { ViewProps } from './view-props.ts'

const ACTIONS: readonly {
  readonly kind: TaskKind
  readonly title: string
  readonly what: string
  readonly word: string
}[] = [
  {
    kind: 'run',
    title: 'Back up',
    what: 'Reads every source and sends what is new to all sinks.',
    word: 'Back up now',
  },
  {
    kind: 'verify',
    title: 'Verify',
    what: 'Reads every object on every sink and proves it by its hash. With slow sinks this takes long.',
    word: 'Verify now',
  },
  {
    kind: 'heal',
    title: 'Heal',
    what: 'Copies to every sink what it lacks, and repairs what a verification has found damaged.',
    word: 'Heal now',
  },
]

/** What can be done from here, and how it comes along. */
export function Actions({ task: view }: ViewProps) {
  const [error, setError] = useState<AskError>()
  const { task } = view
  const isAtWork = task !== undefined && task.exitCode === undefined

  const act = (path: string, body: object): void => {
    setError(undefined)
    send(path, body).catch((caught: unknown) => setError(toAskError(caught)))
  }

  return (
    <>
      <h1>Actions</h1>
      {error ? <Failure error={error} /> : null}
      <div class="cards">
        {ACTIONS.map(({ kind, title, what, word }) => (
          <section key={kind} class="card">
            <h2>{title}</h2>
            <p>{what}</p>
            {isAtWork && task.kind === kind ? (
              <button type="button" onClick={() => act('task/cancel', {})}>
                Cancel
              </button>
            ) : (
              <button type="button" class="main" disabled={isAtWork} onClick={() => act('task', { kind })}>
                {word}
              </button>
            )}
          </section>
        ))}
      </div>
      <TaskSection view={view} />
    </>
  )
}

import { useState } from 'preact/hooks'
import type { TaskKind } from '../api.ts'
import { type AskError, send } from '../ask.ts'
import { Failure, Notice } from '../parts/notice.tsx'
import { Time } from '../parts/time.tsx'
import { toAskError } from '../use-answer.ts'
import type { TaskView } from '../use-task.ts'
import { Progress, Report } from './task-report.tsx'

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
export function Actions({ view }: { readonly view: TaskView }) {
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
      {task === undefined ? null : (
        <section class="task" aria-label="The last action">
          <div role="status">
            {isAtWork ? (
              <Notice tone="plain">
                <strong>{titleOf(task.kind)} goes on</strong>, begun <Time at={task.started} isShort />
              </Notice>
            ) : (
              <Ended title={titleOf(task.kind)} exitCode={task.exitCode ?? 1} />
            )}
          </div>
          {isAtWork ? <Progress progress={view.progress} /> : null}
          {view.report === undefined ? null : <Report report={view.report} />}
          {view.lines.length === 0 ? null : (
            <>
              <h2>Messages</h2>
              <ol class="log" tabIndex={0} aria-label="Messages">
                {view.lines.map((line, i) => (
                  <li key={i}>{line}</li>
                ))}
              </ol>
            </>
          )}
        </section>
      )}
    </>
  )
}

function titleOf(kind: TaskKind): string {
  return ACTIONS.find((action) => action.kind === kind)?.title ?? kind
}

function Ended({ title, exitCode }: { readonly title: string; readonly exitCode: number }) {
  if (exitCode === 0)
    return (
      <Notice tone="good">
        <strong>{title}: done</strong>
      </Notice>
    )
  if (exitCode === 3)
    return (
      <Notice tone="look">
        <strong>{title}: done, but something needs a look</strong>
      </Notice>
    )
  if (exitCode === 143 || exitCode === 130)
    return (
      <Notice tone="look">
        <strong>{title}: cancelled</strong>
      </Notice>
    )
  return (
    <Notice tone="bad">
      <strong>{title}: failed</strong>
    </Notice>
  )
}

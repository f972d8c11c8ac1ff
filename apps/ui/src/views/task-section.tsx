import type { TaskKind } from '../api.ts'
import { Notice } from '../parts/notice.tsx'
import { Time } from '../parts/time.tsx'
import type { TaskView } from '../use-task.ts'
import { Progress, Report } from './task-report.tsx'

const TITLES: Readonly<Record<TaskKind, string>> = {
  run: 'Back up',
  verify: 'Verify',
  heal: 'Heal',
  restore: 'Restore',
  drill: 'Restore drill',
}

/** The task that was started last: how far it is, or how it has ended, and what it reported. */
export function TaskSection({ view }: { readonly view: TaskView }) {
  const { task } = view
  if (task === undefined) return null
  const title = TITLES[task.kind]
  return (
    <section class="task" aria-label="The last action">
      <div role="status">
        {task.exitCode === undefined ? (
          <Notice tone="plain">
            <strong>{title} goes on</strong>, begun <Time at={task.started} isShort />
          </Notice>
        ) : (
          <Ended title={title} exitCode={task.exitCode} />
        )}
      </div>
      {task.exitCode === undefined ? <Progress kind={task.kind} progress={view.progress} /> : null}
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
  )
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

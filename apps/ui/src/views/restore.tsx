import { useId, useState } from 'preact/hooks'
import type { Snapshot, Task } from '../api.ts'
import { type AskError, send } from '../ask.ts'
import { ChosenSnapshot } from '../parts/chosen-snapshot.tsx'
import { Failure } from '../parts/notice.tsx'
import { PhraseForm } from '../parts/phrase-form.tsx'
import { SnapshotPicker } from '../parts/snapshot-picker.tsx'
import { stepsOf } from '../paths.ts'
import { linkTo } from '../route.ts'
import { toAskError } from '../use-answer.ts'
import { TaskSection } from './task-section.tsx'
import type { ViewProps } from './view-props.ts'

/** Restores into a directory of the machine that the program runs on, and tries that everything could be. */
export function Restore(props: ViewProps) {
  const { rest, session, onSession, task } = props
  const [, path = ''] = rest
  return (
    <>
      <h1>Restore</h1>
      <ChosenSnapshot {...props} why="This host has no key of its own.">
        {(snapshots, chosen) =>
          session.unlockedUntil === null ? (
            <PhraseForm why="What is in a snapshot can only be read with it." onUnlocked={onSession} />
          ) : (
            <Choice {...props} snapshots={snapshots} snapshot={chosen} path={path} />
          )
        }
      </ChosenSnapshot>
      {isShown(task.task) ? <TaskSection view={task} /> : null}
    </>
  )
}

/** What has ended and is no reading is shown under Actions alone. */
function isShown(task: Task | undefined): boolean {
  return (
    task !== undefined && (task.exitCode === undefined || task.kind === 'restore' || task.kind === 'drill')
  )
}

function Choice({
  snapshots,
  snapshot,
  path,
  session,
  task,
  onSession,
}: ViewProps & {
  readonly snapshots: readonly Snapshot[]
  readonly snapshot: Snapshot
  readonly path: string
}) {
  const field = useId()
  const [to, setTo] = useState('')
  const [error, setError] = useState<AskError>()
  const kind = task.task?.exitCode === undefined ? task.task?.kind : undefined
  const start = (body: object): void => {
    setError(undefined)
    send<Task>('task', { ...body, snapshot: snapshot.id }).catch((caught: unknown) => {
      const failure = toAskError(caught)
      setError(failure)
      // The keys were forgotten meanwhile: the page asks for the phrase.
      if (failure.code === 'locked-vault') onSession()
    })
  }
  const cancel = (
    <button type="button" onClick={() => void send('task/cancel').catch(() => undefined)}>
      Cancel
    </button>
  )
  return (
    <>
      <div class="fields">
        <SnapshotPicker
          label="Snapshot"
          snapshots={snapshots}
          value={snapshot.id}
          onChange={(id) => {
            location.hash = linkTo('restore', id, ...(path === '' ? [] : [path]))
          }}
        />
      </div>
      {error ? <Failure error={error} /> : null}
      <div class="cards">
        <form
          class="card"
          onSubmit={(event) => {
            event.preventDefault()
            start({ kind: 'restore', path, to: to.trim() })
          }}
        >
          <h2>Restore into a directory</h2>
          <p>
            {path === '' ? (
              'All of the snapshot.'
            ) : (
              <>
                <code>{shownPath(path)}</code> and all below it.{' '}
                <a href={linkTo('restore', snapshot.id)}>All of the snapshot instead</a>.
              </>
            )}{' '}
            To choose a part, open it under <a href={linkTo('browse', snapshot.id)}>Files</a>.
          </p>
          <div class="field">
            <label for={field}>
              Directory on {session.host}, new or empty, <small>such as /tmp/restored</small>
            </label>
            <input
              id={field}
              value={to}
              onInput={(event) => setTo(event.currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
              required
            />
          </div>
          <p>
            <small>
              Below it are the paths as the snapshot has them. Nothing that is there is overwritten.
            </small>
          </p>
          {kind === 'restore' ? (
            cancel
          ) : (
            <button type="submit" class="main" disabled={kind !== undefined}>
              Restore
            </button>
          )}
        </form>
        <section class="card">
          <h2>Drill</h2>
          <p>
            Reads every byte of the snapshot back and checks it, and loads dumps into the scratch servers of
            the configuration. No file is written.
          </p>
          {kind === 'drill' ? (
            cancel
          ) : (
            <button
              type="button"
              class="main"
              disabled={kind !== undefined}
              onClick={() => start({ kind: 'drill' })}
            >
              Start a drill
            </button>
          )}
        </section>
      </div>
    </>
  )
}

function shownPath(path: string): string {
  return stepsOf(path)
    .map(({ name }) => name)
    .join('/')
}

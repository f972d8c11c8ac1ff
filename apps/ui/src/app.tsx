import type { FunctionComponent } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Session } from './api.ts'
import { send } from './ask.ts'
import { formatTime } from './format.ts'
import { Failure } from './parts/notice.tsx'
import { linkTo, useRoute } from './route.ts'
import { useAnswer } from './use-answer.ts'
import { useTask } from './use-task.ts'
import { Actions } from './views/actions.tsx'
import { Browse } from './views/browse.tsx'
import { Configuration } from './views/configuration.tsx'
import { DifferencesView } from './views/differences.tsx'
import { Overview } from './views/overview.tsx'
import { Restore } from './views/restore.tsx'
import { RetentionView } from './views/retention.tsx'
import { SnapshotsView } from './views/snapshots.tsx'
import type { ViewProps } from './views/view-props.ts'

/** How often it is looked whether the vault is open still. */
const SESSION_MS = 60_000

const VIEWS: readonly {
  readonly name: string
  readonly title: string
  readonly View: FunctionComponent<ViewProps>
}[] = [
  { name: 'overview', title: 'Overview', View: Overview },
  { name: 'snapshots', title: 'Snapshots', View: SnapshotsView },
  { name: 'browse', title: 'Files', View: Browse },
  { name: 'differences', title: 'Compare', View: DifferencesView },
  { name: 'restore', title: 'Restore', View: Restore },
  { name: 'actions', title: 'Actions', View: Actions },
  { name: 'retention', title: 'Retention', View: RetentionView },
  { name: 'configuration', title: 'Configuration', View: Configuration },
]

export function App() {
  const answer = useAnswer<Session>('session')
  const { value: session, error, reload } = answer
  const { view, rest } = useRoute()
  const task = useTask(session !== undefined)
  const main = useRef<HTMLElement>(null)
  const views = useRef<HTMLElement>(null)
  const shown = VIEWS.find(({ name }) => name === view) ?? VIEWS[0]
  const isAtWork = task.task !== undefined && task.task.exitCode === undefined

  useEffect(() => {
    const timer = setInterval(reload, SESSION_MS)
    return () => clearInterval(timer)
  }, [])
  useEffect(() => {
    document.title = `${shown?.title ?? ''} · ${session?.vault ?? 'pipe-backup'}`
  }, [shown, session?.vault])
  const isFirst = useRef(true)
  useEffect(() => {
    // Who opens a view by the keyboard goes on reading there.
    if (!isFirst.current) main.current?.focus({ preventScroll: true })
    isFirst.current = false
    // On a narrow screen the views are in a row that scrolls.
    views.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [shown])

  // What is shown of files goes, too.
  const [forgets, setForgets] = useState(0)
  const forget = (): void => {
    const done = (): void => {
      reload()
      setForgets(forgets + 1)
    }
    send('phrase/forget').then(done, done)
  }
  const props = session && { session, rest, onSession: reload, task, taskEnds: task.ends }
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          main.current?.focus()
        }}
      >
        Skip to the content
      </a>
      <header>
        <p class="vault">
          <strong>{session?.vault ?? 'pipe-backup'}</strong>
          {session ? <small> on {session.host}</small> : null}
        </p>
        <p class="lock">
          {session === undefined ? null : session.unlockedUntil === null ? (
            <span>Phrase not given</span>
          ) : (
            <>
              <span>Vault open until {formatTime(session.unlockedUntil).slice(11)}</span>{' '}
              <button type="button" onClick={forget}>
                Forget now
              </button>
            </>
          )}
        </p>
      </header>
      <nav aria-label="Views" ref={views}>
        <ul>
          {VIEWS.map(({ name, title }) => (
            <li key={name}>
              <a href={linkTo(name)} aria-current={shown?.name === name ? 'page' : undefined}>
                {title}
                {name === 'actions' && isAtWork ? <span class="at-work"> at work</span> : null}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        {error ? <Failure error={error} /> : null}
        {props && shown?.View ? <shown.View key={`${shown.name} ${forgets}`} {...props} /> : null}
      </main>
    </>
  )
}

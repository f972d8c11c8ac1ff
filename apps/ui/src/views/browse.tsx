import { useEffect, useId, useState } from 'preact/hooks'
import type { Snapshot } from '../api.ts'
import { formatTime } from '../format.ts'
import { ChosenSnapshot } from '../parts/chosen-snapshot.tsx'
import { SnapshotPicker } from '../parts/snapshot-picker.tsx'
import { stepsOf } from '../paths.ts'
import { linkTo } from '../route.ts'
import { Directory } from './directory.tsx'
import { Search } from './search.tsx'
import type { ViewProps } from './view-props.ts'

/** What is in a snapshot. */
export function Browse(props: ViewProps) {
  const { rest, session, onSession } = props
  const [, path = ''] = rest
  return (
    <>
      <h1>Files</h1>
      <ChosenSnapshot {...props} why="Lists of files can only be opened with it.">
        {(snapshots, chosen) => (
          <Inside
            snapshots={snapshots}
            snapshot={chosen}
            path={path}
            isUnlocked={session.unlockedUntil !== null}
            onSession={onSession}
          />
        )}
      </ChosenSnapshot>
    </>
  )
}

function Inside({
  snapshots,
  snapshot,
  path,
  isUnlocked,
  onSession,
}: {
  readonly snapshots: readonly Snapshot[]
  readonly snapshot: Snapshot
  readonly path: string
  readonly isUnlocked: boolean
  readonly onSession: () => void
}) {
  const [pattern, setPattern] = useState('')
  const [typed, setTyped] = useState('')
  const field = useId()
  useEffect(() => setPattern(''), [path])
  return (
    <>
      <div class="fields">
        <SnapshotPicker
          label="Snapshot"
          snapshots={snapshots}
          value={snapshot.id}
          onChange={(id) => {
            location.hash = linkTo('browse', id, ...(path === '' ? [] : [path]))
          }}
        />
        {isUnlocked ? (
          <form
            class="field"
            role="search"
            onSubmit={(event) => {
              event.preventDefault()
              setPattern(typed.trim())
            }}
          >
            <label for={field}>
              Find by name or pattern <small>*.json, wallet/**/key</small>
            </label>
            <div class="with-button">
              <input
                id={field}
                type="search"
                value={typed}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
              <button type="submit">Find</button>
            </div>
          </form>
        ) : null}
      </div>
      {pattern === '' ? (
        <>
          <nav aria-label="Directory" class="crumbs">
            <a href={linkTo('browse', snapshot.id)}>{formatTime(snapshot.time)}</a>
            {(path === '' ? [] : stepsOf(path)).map((step) => (
              <span key={step.path}>
                {' / '}
                <a
                  href={linkTo('browse', snapshot.id, step.path)}
                  aria-current={step.path === path ? 'page' : undefined}
                >
                  {step.name}
                </a>
              </span>
            ))}{' '}
            <a class="aside" href={linkTo('restore', snapshot.id, ...(path === '' ? [] : [path]))}>
              Restore {path === '' ? 'all of it' : 'this directory'}…
            </a>
          </nav>
          <Directory snapshot={snapshot.id} path={path} onSession={onSession} />
        </>
      ) : (
        <Search
          pattern={pattern}
          snapshot={snapshot.id}
          snapshots={snapshots}
          onClose={() => setPattern('')}
          onSession={onSession}
        />
      )}
    </>
  )
}

import { useMemo, useState } from 'preact/hooks'
import type { Snapshots as Listed, Snapshot } from '../api.ts'
import { dayOf, hourOf, weekCalendar, yearCalendar } from '../calendar.ts'
import { formatBytes, formatCount, formatTime, plural } from '../format.ts'
import { Answered } from '../parts/answered.tsx'
import { Badge } from '../parts/badge.tsx'
import { type Cell, Grid } from '../parts/grid.tsx'
import { Warnings } from '../parts/notice.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { linkTo } from '../route.ts'
import { useAnswer } from '../use-answer.ts'
import type { ViewProps } from './view-props.ts'

/** So many rows at first: more when asked for. */
const ROWS = 100

/** Which snapshots there are, when they were made, and who holds each. */
export function SnapshotsView({ onSession, taskEnds }: ViewProps) {
  const answer = useAnswer<Listed>('snapshots', taskEnds)
  return (
    <>
      <h1>Snapshots</h1>
      <Answered answer={answer} why="This host has no key of its own." onSession={onSession}>
        {(listed) => <Shown listed={listed} />}
      </Answered>
    </>
  )
}

function Shown({ listed }: { readonly listed: Listed }) {
  const { snapshots, sinks, warnings } = listed
  const [chosen, setChosen] = useState<string>()
  const [tag, setTag] = useState<string>()
  const [limit, setLimit] = useState(ROWS)
  const now = useMemo(() => new Date(), [listed])
  const byDay = useMemo(() => Map.groupBy(snapshots, ({ time }) => dayOf(time)), [snapshots])
  const byHour = useMemo(() => Map.groupBy(snapshots, ({ time }) => hourOf(time)), [snapshots])
  const cellOf =
    (groups: ReadonlyMap<string, readonly Snapshot[]>, suffix: string) =>
    (name: string): Cell => {
      const found = groups.get(name) ?? []
      return {
        label: `${name}${suffix}: ${found.length === 0 ? 'no snapshot' : `${plural(found.length, 'snapshot')}, on ${holdersOf(found).join(', ')}`}`,
        state: found.length === 0 ? 'none' : found.some((one) => isEverywhere(one, sinks)) ? 'full' : 'part',
        isChosen: chosen === name,
        ...(found.length > 0 && { onChoose: () => setChosen(chosen === name ? undefined : name) }),
      }
    }
  const year = yearCalendar(now, cellOf(byDay, ''))
  const week = weekCalendar(now, cellOf(byHour, ':00'))
  const ofTime = chosen === undefined ? snapshots : (byHour.get(chosen) ?? byDay.get(chosen) ?? [])
  const rows = tag === undefined ? ofTime : ofTime.filter(({ tags }) => tags?.includes(tag))
  const isAll = chosen === undefined && tag === undefined
  const what = `${plural(rows.length, 'snapshot')}${tag === undefined ? '' : ` tagged ${tag}`}`
  return (
    <>
      <Warnings lines={warnings} />
      {snapshots.length === 0 ? <p>There is no snapshot yet: start a run under Actions.</p> : null}
      <div class="calendars">
        <section>
          <h2>Last seven days, by hour</h2>
          <Grid label="Snapshots of the last seven days, by hour" {...week} />
        </section>
        <section>
          <h2>Last year, by day</h2>
          <Grid label="Snapshots of the last year, by day" {...year} />
        </section>
      </div>
      <p class="legend">
        <span class="cell full" aria-hidden="true" /> on every sink{' '}
        <span class="cell part" aria-hidden="true" /> on some <span class="cell none" aria-hidden="true" /> no
        snapshot
      </p>
      <div class="title">
        <h2 aria-live="polite">
          {chosen === undefined ? what : `${what} of ${chosen}${chosen.length > 10 ? ':00' : ''}`}
        </h2>
        {isAll ? null : (
          <button
            type="button"
            onClick={() => {
              setChosen(undefined)
              setTag(undefined)
            }}
          >
            Show all
          </button>
        )}
      </div>
      <Table
        label="Snapshots, newest first"
        columns={columnsOf(sinks, snapshots, setTag)}
        rows={rows.slice(0, limit)}
        keyOf={({ id }) => id}
      />
      {rows.length > limit ? (
        <button type="button" onClick={() => setLimit(limit + ROWS * 5)}>
          Show more: {formatCount(rows.length - limit)} are left
        </button>
      ) : null}
    </>
  )
}

function holdersOf(snapshots: readonly Snapshot[]): readonly string[] {
  return [...new Set(snapshots.flatMap(({ sinks }) => sinks))].sort()
}

function isEverywhere(snapshot: Snapshot, sinks: readonly string[]): boolean {
  return sinks.every((name) => snapshot.sinks.includes(name))
}

/** What a person has said of snapshots: a column where there is any of it. */
function marksColumn(all: readonly Snapshot[], onTag: (tag: string) => void): readonly Column<Snapshot>[] {
  if (!all.some(({ pinned, tags = [] }) => pinned || tags.length > 0)) return []
  const cell = ({ pinned, tags = [] }: Snapshot) => (
    <>
      {pinned ? <span class="tag">pinned</span> : null}
      {tags.map((tag) => (
        <button
          key={tag}
          type="button"
          class="tag"
          aria-label={`only those tagged ${tag}`}
          onClick={() => onTag(tag)}
        >
          #{tag}
        </button>
      ))}
    </>
  )
  return [{ head: 'Marks', cell }]
}

function columnsOf(
  sinks: readonly string[],
  all: readonly Snapshot[],
  onTag: (tag: string) => void,
): readonly Column<Snapshot>[] {
  const before = new Map(all.map(({ id }, i) => [id, all[i + 1]?.id]))
  return [
    { head: 'Time', cell: ({ time }) => <Time at={time} /> },
    {
      head: 'Id',
      cell: ({ id }) => (
        <a class="id" href={linkTo('browse', id)}>
          {id}
        </a>
      ),
    },
    ...marksColumn(all, onTag),
    { head: 'Host', cell: ({ host }) => <span class="nowrap">{host}</span> },
    {
      head: 'Sources',
      cell: ({ sources }) =>
        sources.map(({ name, state, error }) =>
          state === 'ok' ? (
            <span key={name} class="tag">
              {name}
            </span>
          ) : (
            <span key={name} title={error}>
              <Badge state={state} word={`${name}: ${state}`} />{' '}
            </span>
          ),
        ),
    },
    {
      head: 'Held by',
      cell: ({ sinks: holders }) => (
        <>
          {holders.map((name) => (
            <span key={name} class="tag">
              {name}
            </span>
          ))}
          {sinks.length > holders.length ? (
            <small>
              {holders.length} of {sinks.length}
            </small>
          ) : null}
        </>
      ),
    },
    {
      head: 'Entries',
      cell: ({ sources }) => formatCount(sources.reduce((sum, { entries }) => sum + entries, 0)),
      isNumber: true,
    },
    {
      head: 'Size',
      cell: ({ sources }) => formatBytes(sources.reduce((sum, { bytes }) => sum + bytes, 0)),
      isNumber: true,
    },
    {
      head: 'Compare',
      cell: ({ id, time }) => {
        const older = before.get(id)
        if (older === undefined) return '–'
        return (
          <a href={linkTo('differences', older, id)} aria-label={`changes up to ${formatTime(time)}`}>
            changes
          </a>
        )
      },
    },
  ]
}

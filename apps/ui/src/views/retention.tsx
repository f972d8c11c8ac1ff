import { useMemo } from 'preact/hooks'
import type { Retention as Preview } from '../api.ts'
import { dayOf, yearCalendar } from '../calendar.ts'
import { formatBytes, plural } from '../format.ts'
import { Answered } from '../parts/answered.tsx'
import { Badge } from '../parts/badge.tsx'
import { type Cell, Grid } from '../parts/grid.tsx'
import { Warnings } from '../parts/notice.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { useAnswer } from '../use-answer.ts'
import type { ViewProps } from './view-props.ts'

/** What a prune would keep and remove now. Nothing is removed from here. */
export function RetentionView({ onSession, taskEnds }: ViewProps) {
  const answer = useAnswer<Preview>('retention', taskEnds)
  return (
    <>
      <h1>Retention</h1>
      <p>
        What <code>pipe-backup prune</code> would do now. Nothing is removed from this page.
      </p>
      <Answered answer={answer} why="This host has no key of its own." onSession={onSession}>
        {(preview) => <Shown preview={preview} />}
      </Answered>
    </>
  )
}

function Shown({ preview }: { readonly preview: Preview }) {
  const { policy, snapshots, sinks, warnings } = preview
  const now = useMemo(() => new Date(), [preview])
  const byDay = useMemo(() => Map.groupBy(snapshots, ({ time }) => dayOf(time)), [snapshots])
  const removed = snapshots.filter(({ kept }) => kept.length === 0).length
  const calendar = yearCalendar(now, (day): Cell => {
    const found = byDay.get(day) ?? []
    const kept = found.filter((one) => one.kept.length > 0).length
    return {
      label: `${day}: ${found.length === 0 ? 'no snapshot' : `${kept} kept, ${found.length - kept} removed`}`,
      state: found.length === 0 ? 'none' : kept === found.length ? 'full' : kept > 0 ? 'part' : 'gone',
    }
  })
  return (
    <>
      <Warnings lines={warnings} />
      <p>
        <strong>
          {plural(snapshots.length - removed, 'snapshot')} would stay, {removed} would go.
        </strong>{' '}
        Kept are{' '}
        {policy.map(({ key, value }) => (
          <span key={key} class="tag">
            {key} {value}
          </span>
        ))}
      </p>
      <Grid label="What would be kept, by day" {...calendar} />
      <p class="legend">
        <span class="cell full" aria-hidden="true" /> all kept <span class="cell part" aria-hidden="true" />{' '}
        some removed <span class="cell gone" aria-hidden="true" /> all removed
      </p>
      <Table label="Sinks after a prune" columns={SINKS} rows={sinks} keyOf={({ name }) => name} />
      <h2>Snapshot by snapshot</h2>
      <Table
        label="Snapshots and what keeps them"
        columns={SNAPSHOTS}
        rows={snapshots}
        keyOf={({ id }) => id}
      />
    </>
  )
}

const SINKS: readonly Column<Preview['sinks'][number]>[] = [
  { head: 'Sink', cell: ({ name }) => <strong>{name}</strong> },
  { head: 'Now', cell: ({ bytesBefore }) => formatBytes(bytesBefore), isNumber: true },
  { head: 'After', cell: ({ bytesAfter }) => formatBytes(bytesAfter), isNumber: true },
  { head: 'Freed at once', cell: ({ bytesFreed }) => formatBytes(bytesFreed), isNumber: true },
]

const SNAPSHOTS: readonly Column<Preview['snapshots'][number]>[] = [
  { head: 'Time', cell: ({ time }) => <Time at={time} /> },
  { head: 'Id', cell: ({ id }) => <span class="id">{id}</span> },
  { head: 'Host', cell: ({ host }) => <span class="nowrap">{host}</span> },
  {
    head: 'Kept by',
    cell: ({ kept }) =>
      kept.length === 0 ? (
        <Badge state="none" word="would go" />
      ) : (
        kept.map((rule) => (
          <span key={rule} class="tag">
            {rule}
          </span>
        ))
      ),
  },
]

import type { ComponentChildren } from 'preact'
import type { Overview as Status } from '../api.ts'
import { formatBytes, formatCount, formatSpan, plural } from '../format.ts'
import { Answered } from '../parts/answered.tsx'
import { Badge } from '../parts/badge.tsx'
import { Notice, Warnings } from '../parts/notice.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { linkTo } from '../route.ts'
import { useAnswer } from '../use-answer.ts'
import { SinkPlots } from './sink-plots.tsx'
import type { ViewProps } from './view-props.ts'

/** How the vault, its sources and its sinks stand. */
export function Overview({ onSession, taskEnds }: ViewProps) {
  const answer = useAnswer<Status>('overview', taskEnds)
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
        <button type="button" onClick={answer.reload} disabled={answer.isLoading}>
          Refresh
        </button>
      </div>
      <Answered answer={answer} why="This host has no key of its own." onSession={onSession}>
        {(status) => <Shown status={status} />}
      </Answered>
    </>
  )
}

const VERDICTS = {
  0: { tone: 'good', text: 'All is well' },
  1: { tone: 'bad', text: 'The newest snapshot is on too few sinks, or there is none' },
  3: { tone: 'look', text: 'Something needs a look' },
} as const

function Shown({ status }: { readonly status: Status }) {
  const verdict = status.exitCode === 0 ? VERDICTS[0] : status.exitCode === 3 ? VERDICTS[3] : VERDICTS[1]
  return (
    <>
      <Notice tone={verdict.tone}>
        <strong>{verdict.text}</strong>
        <Worries status={status} />
      </Notice>
      <Warnings lines={status.warnings} />
      <dl class="facts">
        <Fact name="Last good snapshot">
          {status.lastGood ? (
            <>
              <Time at={status.lastGood.time} /> <small>on {status.lastGood.sinks.join(', ')}</small>
            </>
          ) : (
            'None yet that has every source, complete'
          )}
        </Fact>
        <Fact name="Next run">
          {status.nextRun ? <Time at={status.nextRun} /> : 'No schedule in the configuration'}
          {status.nextRun && !status.scheduler ? (
            <small> but nothing starts it: pipe-backup schedule install</small>
          ) : null}
        </Fact>
        <Fact name="Snapshots">
          <a href={linkTo('snapshots')}>{formatCount(status.snapshots)}</a>
          {status.oldest ? (
            <small>
              {' '}
              since <Time at={status.oldest} />
            </small>
          ) : null}
        </Fact>
        <Fact name="Last verified">
          {status.lastVerify ? <Time at={status.lastVerify} /> : 'Not by the schedule'}
        </Fact>
        <Fact name="Last restore drill">
          {status.lastDrill ? <Time at={status.lastDrill.time} /> : 'None: pipe-backup verify --drill'}
        </Fact>
        <Fact name="Copies wanted">{plural(status.copies, 'sink')}</Fact>
      </dl>
      <h2>Sources</h2>
      <Table label="Sources" columns={SOURCES} rows={status.sources} keyOf={({ name }) => name} />
      <h2>Sinks</h2>
      <Table label="Sinks" columns={sinkColumns(status)} rows={status.sinks} keyOf={({ name }) => name} />
      <SinkPlots history={status.history} />
      {status.sessions.length === 0 ? null : (
        <>
          <h2>At work</h2>
          <ul>
            {status.sessions.map(({ kind, host, started, isStale }) => (
              <li key={`${kind} ${host} ${started}`}>
                {kind} of {host}, begun <Time at={started} />:{' '}
                {isStale ? 'was killed' : 'goes on, or was killed'}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Worries({ status }: { readonly status: Status }) {
  const { worries, sinks } = status
  const lines = [
    ...worries.map(({ subject, message }) => `${subject}: ${message}`),
    ...sinks.flatMap(({ name, behind, damaged }) => [
      ...(damaged > 0 ? [`${name}: ${plural(damaged, 'object')} missing or damaged. Heal repairs it.`] : []),
      ...(behind > 0
        ? [`${name}: lacks ${plural(behind, 'snapshot')} that others have. Heal copies them.`]
        : []),
    ]),
    ...sinks.flatMap(({ name, error, hint }) =>
      error === undefined ? [] : [`${name}: ${error}. ${hint ?? ''}`],
    ),
  ]
  if (lines.length === 0) return null
  return (
    <ul>
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  )
}

const SOURCES: readonly Column<Status['sources'][number]>[] = [
  { head: 'Source', cell: ({ name }) => <strong>{name}</strong> },
  {
    head: 'State',
    cell: ({ state, error }) => (
      <>
        <Badge state={state} word={state === 'none' ? 'not backed up yet' : state} />
        {error === undefined ? null : <small> {error}</small>}
      </>
    ),
  },
  { head: 'Last good copy', cell: ({ lastGood }) => (lastGood ? <Time at={lastGood} /> : '–') },
  { head: 'Problems', cell: ({ problems }) => formatCount(problems), isNumber: true },
  { head: 'Entries', cell: ({ entries }) => formatCount(entries), isNumber: true },
  { head: 'Size', cell: ({ bytes }) => formatBytes(bytes), isNumber: true },
]

function sinkColumns({ newest }: Status): readonly Column<Status['sinks'][number]>[] {
  const failed = '–'
  return [
    { head: 'Sink', cell: ({ name }) => <strong>{name}</strong> },
    {
      head: 'State',
      cell: ({ state, behind, damaged, bytesCondemned }) => (
        <>
          <Badge state={state} />
          {damaged > 0 ? <small> {plural(damaged, 'object')} missing or damaged</small> : null}
          {behind > 0 ? <small> lacks {plural(behind, 'snapshot')}</small> : null}
          {bytesCondemned > 0 ? <small> {formatBytes(bytesCondemned)} pending deletion</small> : null}
        </>
      ),
    },
    { head: 'Newest snapshot', cell: ({ latest }) => (latest ? <Time at={latest} /> : failed) },
    { head: 'Lag', cell: ({ latest }) => lagOf(latest, newest), isNumber: true },
    {
      head: 'Snapshots',
      cell: ({ state, snapshots }) => (state === 'failed' ? failed : formatCount(snapshots)),
      isNumber: true,
    },
    {
      head: 'Size',
      cell: ({ state, bytes }) => (state === 'failed' ? failed : formatBytes(bytes)),
      isNumber: true,
    },
    ...(
      [
        ['day', 'Last day'],
        ['week', '7 days'],
        ['month', '30 days'],
      ] as const
    ).map(
      ([span, head]): Column<Status['sinks'][number]> => ({
        head,
        cell: ({ state, bytesNew }) => (state === 'failed' ? failed : `+${formatBytes(bytesNew[span])}`),
        isNumber: true,
      }),
    ),
  ]
}

/** How far a sink's newest snapshot is behind the newest that there is. */
function lagOf(latest: string | undefined, newest: string | null): string {
  if (latest === undefined || newest === null) return '–'
  const ms = Date.parse(newest) - Date.parse(latest)
  return ms <= 0 ? 'none' : formatSpan(ms)
}

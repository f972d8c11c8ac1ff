import type { TaskKind } from '../api.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import { Badge } from '../parts/badge.tsx'
import { Notice } from '../parts/notice.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { fieldOf, listOf, numberOf, textOf } from '../unknown.ts'

/** How a task stands. */
export function Progress({ kind, progress }: { readonly kind: TaskKind; readonly progress: unknown }) {
  if (kind === 'restore' || kind === 'drill') return <ReadingProgress kind={kind} progress={progress} />
  const packs = numberOf(progress, 'packsToProve')
  if (packs > 0) {
    const done = numberOf(progress, 'packs')
    return (
      <p class="progress">
        <progress value={done} max={packs} aria-label="Packs verified" /> {formatCount(done)} of{' '}
        {plural(packs, 'pack')}, {formatBytes(numberOf(progress, 'bytesRead'))} read
      </p>
    )
  }
  const source = textOf(progress, 'source')
  const phase = textOf(progress, 'phase')
  return (
    <p class="progress">
      <progress aria-label="At work" />{' '}
      {phase === 'reading' && source !== '' ? `reading ${source}` : phase || 'at work'}
      {progress === undefined ? null : (
        <>
          , {plural(numberOf(progress, 'entries'), 'entry', 'entries')},{' '}
          {formatBytes(numberOf(progress, 'bytesRead'))} read
          {listOf(progress, 'sinks').map((sink) => (
            <span key={textOf(sink, 'name')} class="tag">
              {textOf(sink, 'name')} {formatBytes(numberOf(sink, 'bytesSent'))}
            </span>
          ))}
        </>
      )}
    </p>
  )
}

/** How far a snapshot has been read: by its bytes, where it is known how many there are. */
function ReadingProgress({ kind, progress }: { readonly kind: TaskKind; readonly progress: unknown }) {
  const bytes = numberOf(progress, 'bytes')
  const total = numberOf(progress, 'totalBytes')
  const label = kind === 'drill' ? 'Bytes checked' : 'Bytes restored'
  return (
    <p class="progress">
      {total > 0 ? (
        <progress value={Math.min(bytes, total)} max={total} aria-label={label} />
      ) : (
        <progress aria-label={label} />
      )}{' '}
      {plural(numberOf(progress, 'entries'), 'entry', 'entries')}, {formatBytes(bytes)}
      {total > 0 ? ` of ${formatBytes(total)}` : null}
    </p>
  )
}

/** What a command has reported at its end. */
export function Report({ report }: { readonly report: unknown }) {
  const error = fieldOf(report, 'error')
  if (error !== undefined)
    return (
      <Notice tone="bad">
        {textOf(error, 'message')} {textOf(error, 'hint')}
      </Notice>
    )
  const sources = listOf(report, 'sources')
  const sinks = listOf(report, 'sinks')
  const seconds = numberOf(report, 'seconds')
  return (
    <>
      {typeof fieldOf(report, 'snapshot') === 'string' && sinks.length === 0 ? (
        <SnapshotReport report={report} />
      ) : null}
      {seconds > 0 ? <p>It took {seconds.toFixed(1)} seconds.</p> : null}
      {sources.length > 0 ? (
        <Table label="Sources of this run" columns={SOURCES} rows={sources} keyOf={nameOf} />
      ) : null}
      {sinks.length > 0 ? (
        <Table label="Sinks of this action" columns={sinkColumns(sinks)} rows={sinks} keyOf={nameOf} />
      ) : null}
    </>
  )
}

/** What a restore or a drill has read. */
function SnapshotReport({ report }: { readonly report: unknown }) {
  const to = textOf(report, 'to')
  const loaded = listOf(report, 'loaded').length
  const kept = numberOf(report, 'kept')
  const problems = numberOf(report, 'problems') + listOf(report, 'failures').length
  return (
    <p>
      {plural(numberOf(report, 'entries'), 'entry', 'entries')}, {formatBytes(numberOf(report, 'bytes'))}, of
      snapshot <span class="id">{textOf(report, 'snapshot')}</span>{' '}
      {to === '' ? (
        'read back and checked'
      ) : (
        <>
          restored to <code>{to}</code>
        </>
      )}
      {loaded === 0 ? null : `, ${plural(loaded, 'dump')} loaded`}
      {kept === 0 ? null : `, ${formatCount(kept)} left as they were`}
      {problems === 0 ? null : `, ${plural(problems, 'problem')}`}.
    </p>
  )
}

function nameOf(value: unknown): string {
  return textOf(value, 'name')
}

const NAME_AND_STATE: readonly Column<unknown>[] = [
  { head: 'Name', cell: nameOf },
  {
    head: 'State',
    cell: (of) => (
      <>
        <Badge state={textOf(of, 'state')} /> <small>{textOf(of, 'error')}</small>
      </>
    ),
  },
]

const SOURCES: readonly Column<unknown>[] = [
  ...NAME_AND_STATE,
  { head: 'Entries', cell: (of) => formatCount(numberOf(of, 'entries')), isNumber: true },
  { head: 'Read', cell: (of) => formatBytes(numberOf(of, 'bytesRead')), isNumber: true },
  { head: 'New', cell: (of) => formatBytes(numberOf(of, 'bytesNew')), isNumber: true },
]

/** Of a run, a verification and a healing: each has some of these. */
const FIGURES: readonly (readonly [key: string, head: string, format: (value: number) => string])[] = [
  ['bytesSent', 'Sent', formatBytes],
  ['healed', 'Healed', formatCount],
  ['packsProven', 'Packs proven', formatCount],
  ['packs', 'Packs', formatCount],
  ['objects', 'Objects', formatCount],
  ['bytes', 'Size', formatBytes],
  ['bytesRead', 'Read', formatBytes],
]

function sinkColumns(sinks: readonly unknown[]): readonly Column<unknown>[] {
  const figures = FIGURES.filter(([key]) => sinks.some((sink) => typeof fieldOf(sink, key) === 'number'))
  return [
    ...NAME_AND_STATE,
    ...figures.map(
      ([key, head, format]): Column<unknown> => ({
        head,
        cell: (of) => format(numberOf(of, key)),
        isNumber: true,
      }),
    ),
  ]
}

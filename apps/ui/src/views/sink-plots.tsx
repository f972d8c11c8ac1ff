import { useMemo } from 'preact/hooks'
import type { SinkHistory } from '../api.ts'
import { formatBytes, formatDay, formatSpan, plural } from '../format.ts'
import { Plot } from '../parts/plot.tsx'
import { daysOf, type Line } from '../parts/plot-data.ts'
import { type Column, Table } from '../parts/table.tsx'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Of sizes: powers of two, so that an axis has whole KiB, MiB and so on. */
const BYTE_STEPS: readonly number[] = Array.from({ length: 55 }, (_, i) => 2 ** i)
const LAG_STEPS: readonly number[] = [
  ...[1, 5, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 4, 7, 14, 30, 60, 120, 240, 480, 960].map((days) => days * DAY),
]

/** How large each sink was, and how far behind, over time: as plots, and as tables for who can't see them. */
export function SinkPlots({ history }: { readonly history: readonly SinkHistory[] }) {
  const [sizes, lags] = useMemo(
    () => [
      history.map(
        ({ name, sizes: points }): Line => ({
          name,
          points: points.map(({ time, bytes }) => ({ time, value: bytes })),
        }),
      ),
      history.map(
        ({ name, lags: points }): Line => ({
          name,
          points: points.map(({ time, lagMs }) => ({ time, value: lagMs })),
        }),
      ),
    ],
    [history],
  )
  return (
    <div class="plots">
      <Figure
        title="Size of each sink"
        lines={sizes}
        increments={BYTE_STEPS}
        format={formatBytes}
        summarize={(first, last) => `${formatBytes(last)}, ${difference(last - first)}`}
      />
      <Figure
        title="Lag of each sink"
        lines={lags}
        increments={LAG_STEPS}
        format={formatLag}
        summarize={(_first, last, most) => `${formatLag(last)}, at most ${formatLag(most)}`}
      />
    </div>
  )
}

function difference(bytes: number): string {
  return bytes < 0 ? `${formatBytes(-bytes)} less than then` : `${formatBytes(bytes)} more than then`
}

function formatLag(ms: number): string {
  if (ms === 0) return 'none'
  return ms % DAY === 0 ? plural(ms / DAY, 'day') : formatSpan(ms)
}

function Figure({
  title,
  lines,
  increments,
  format,
  summarize,
}: {
  readonly title: string
  readonly lines: readonly Line[]
  readonly increments: readonly number[]
  readonly format: (value: number) => string
  readonly summarize: (first: number, last: number, most: number) => string
}) {
  const shown = lines.filter(({ points }) => points.length > 0)
  return (
    <section class="card">
      <h2>{title}</h2>
      {shown.length === 0 ? (
        <p>Nothing is known of it yet.</p>
      ) : (
        <>
          <Plot
            lines={lines}
            summary={`${title}. ${shown.map((line) => summaryOf(line, summarize)).join('. ')}`}
            increments={increments}
            format={format}
          />
          <details>
            <summary>
              As a table<span class="only-read">: {title}</span>
            </summary>
            <div class="days" tabIndex={0} role="group" aria-label={`${title}, day by day`}>
              <Table
                label={`${title}, day by day`}
                columns={columnsFor(shown, format)}
                rows={rowsOf(shown)}
                keyOf={({ day }) => day}
              />
            </div>
          </details>
        </>
      )}
    </section>
  )
}

function summaryOf(
  { name, points }: Line,
  summarize: (first: number, last: number, most: number) => string,
): string {
  const values = points.map(({ value }) => value)
  const since = formatDay(new Date(points[0]?.time ?? 0))
  return `${name} since ${since}: ${summarize(values[0] ?? 0, values.at(-1) ?? 0, Math.max(...values))}`
}

interface Day {
  readonly time: string
  readonly day: string
  readonly values: ReadonlyMap<string, number>
}

/** A row for each day, newest first. */
function rowsOf(lines: readonly Line[]): Day[] {
  const days = new Map<string, { time: string; day: string; values: Map<string, number> }>()
  for (const { name, points } of lines)
    for (const { time, value } of daysOf(points)) {
      const day = formatDay(new Date(time))
      const row = days.get(day) ?? { time, day, values: new Map<string, number>() }
      days.set(day, row)
      row.values.set(name, value)
    }
  return [...days.values()].sort((a, b) => (a.day < b.day ? 1 : -1))
}

function columnsFor(lines: readonly Line[], format: (value: number) => string): readonly Column<Day>[] {
  return [
    { head: 'Day', cell: ({ day }) => <time dateTime={day}>{day}</time> },
    ...lines.map(
      ({ name }): Column<Day> => ({
        head: name,
        cell: ({ values }) => {
          const value = values.get(name)
          return value === undefined ? '–' : format(value)
        },
        isNumber: true,
      }),
    ),
  ]
}

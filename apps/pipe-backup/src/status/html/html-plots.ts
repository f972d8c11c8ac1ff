import { html } from 'hono/html'
import { formatBytes } from '../../terminal/quantities.ts'
import type { SinkHistory } from '../sink-history.ts'
import { formatLag } from './format-lag.ts'
import { type HtmlColumn, htmlTable } from './html-table.ts'
import { BYTE_STEPS, LAG_STEPS } from './plot-scale.ts'
import { dayOf, type Html, type PlotLine, svgPlot } from './svg-plot.ts'

/** The sizes and lags of the sinks over time: drawings, and the same numbers by days. */
export function htmlPlots(history: readonly SinkHistory[]): Html {
  const sizes = history.map(
    ({ name, sizes: points }): PlotLine => ({
      name,
      points: points.map(({ time, bytes }) => ({ time, value: bytes })),
    }),
  )
  const lags = history.map(
    ({ name, lags: points }): PlotLine => ({
      name,
      points: points.map(({ time, lagMs }) => ({ time, value: lagMs })),
    }),
  )
  return html`<div class="plots">
${figure('Size of each sink', sizes, BYTE_STEPS, formatBytes)}
${figure('Lag of each sink', lags, LAG_STEPS, formatLag)}
</div>`
}

function figure(
  title: string,
  lines: readonly PlotLine[],
  steps: readonly number[],
  format: (value: number) => string,
): Html {
  const known = lines.filter(({ points }) => points.length > 0)
  if (known.length === 0)
    return html`<section class="card"><h2>${title}</h2><p>Nothing is known of it yet.</p></section>`
  const summary = known.map(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)]
    return `${name}: ${format(first?.value ?? 0)} on ${dayOf(first?.time ?? 0)}, ${format(last?.value ?? 0)} on ${dayOf(last?.time ?? 0)}`
  })
  return html`<section class="card"><h2>${title}</h2>
${svgPlot({ summary: `${title}. ${summary.join('. ')}`, lines, steps, format })}
<details><summary>${title}, as a table</summary>
${htmlTable(`${title}, day by day`, columnsFor(known, format), rowsOf(known))}
</details></section>`
}

interface Day {
  readonly day: string
  readonly values: Map<string, number>
}

/** What each line had last on each day, the newest first. */
function rowsOf(lines: readonly PlotLine[]): Day[] {
  const days = new Map<string, Day>()
  for (const { name, points } of lines)
    for (const { time, value } of points) {
      const day = dayOf(time)
      const row = days.get(day) ?? { day, values: new Map<string, number>() }
      days.set(day, row)
      row.values.set(name, value)
    }
  return [...days.values()].sort((a, b) => (a.day < b.day ? 1 : -1))
}

function columnsFor(lines: readonly PlotLine[], format: (value: number) => string): HtmlColumn<Day>[] {
  return [
    { head: 'Day', cell: ({ day }) => day },
    ...lines.map(
      ({ name }): HtmlColumn<Day> => ({
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

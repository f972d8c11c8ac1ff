import { html } from 'hono/html'
import { ticksUpTo } from './plot-scale.ts'

/** A part of the document, escaped. */
export type Html = ReturnType<typeof html>

/** A line of a plot. */
export interface PlotLine {
  readonly name: string
  /** Oldest first. */
  readonly points: readonly { readonly time: Date; readonly value: number }[]
}

export interface PlotOptions {
  /** What is seen, in words. */
  readonly summary: string
  readonly lines: readonly PlotLine[]
  /** Of the axis of values, ascending. */
  readonly steps: readonly number[]
  readonly format: (value: number) => string
}

// In units of the drawing, which is as wide as there is room: small enough that its text can be read on a phone.
const [WIDTH, HEIGHT] = [460, 210]
const [LEFT, RIGHT, TOP, BOTTOM] = [78, 12, 10, 26]
const DATES = 3
/** So many colours there are; each line has a dash of its own, too. */
const COLOURS = 6
/** Of a line of many points the points say nothing more. */
const MAX_MARKS = 40

/** Lines over time as SVG: no script, no image, and colours by classes. */
export function svgPlot({ summary, lines, steps, format }: PlotOptions): Html {
  const points = lines.flatMap((line) => line.points)
  const times = points.map(({ time }) => time.getTime())
  const [first, last] = times.reduce(([min, max], time) => [Math.min(min, time), Math.max(max, time)], [
    Infinity,
    -Infinity,
  ] as const)
  const ticks = ticksUpTo(
    points.reduce((most, { value }) => Math.max(most, value), 0),
    steps,
  )
  const top = ticks.at(-1) ?? 1
  const x = (time: number): number =>
    round(LEFT + (last > first ? (time - first) / (last - first) : 0.5) * (WIDTH - LEFT - RIGHT))
  const y = (value: number): number => round(HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM))
  return html`<ul class="legend" aria-hidden="true">
${lines.map(({ name }, i) => html`<li><svg class="line-${i % COLOURS}" width="28" height="8"><path d="M0 4H28"/></svg> ${name}</li>`)}
</ul>
<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${summary}">
${ticks.map(
  (tick) =>
    html`<path class="grid" d="M${LEFT} ${y(tick)}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${format(tick)}</text>`,
)}
${datesBetween(first, last).map(
  (time, i, all) =>
    html`<text x="${x(time)}" y="${HEIGHT - 6}" text-anchor="${all.length === 1 ? 'middle' : (ANCHORS[i] ?? 'middle')}">${dayOf(time)}</text>`,
)}
${lines.map((line, i) => lineOf(line, i % COLOURS, x, y))}
</svg>`
}

const ANCHORS = ['start', 'middle', 'end'] as const

function lineOf(
  { points }: PlotLine,
  colour: number,
  x: (time: number) => number,
  y: (value: number) => number,
): Html | '' {
  const places = points.map(({ time, value }) => [x(time.getTime()), y(value)] as const)
  if (places.length === 0) return ''
  const marks = places.length > MAX_MARKS ? [] : places
  return html`<g class="line-${colour}"><path d="M${places.map(([left, down]) => `${left} ${down}`).join('L')}"/>${marks.map(
    ([left, down]) => html`<circle cx="${left}" cy="${down}" r="2.5"/>`,
  )}</g>
`
}

function datesBetween(first: number, last: number): number[] {
  if (dayOf(first) === dayOf(last)) return [first]
  return Array.from({ length: DATES }, (_, i) => first + ((last - first) * i) / (DATES - 1))
}

/** `2026-11-23`, in the time of this machine. */
export function dayOf(time: number | Date): string {
  const date = new Date(time)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}

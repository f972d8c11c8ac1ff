import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { columnsOf, type Line } from './plot-data.ts'

const HEIGHT = 200
/** So many colours there are; each has a dash of its own, so that lines are told apart without them. */
const COLOURS = 6
const DASHES: readonly number[][] = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 2], [1, 4]]
/** In seconds: with less to show, an axis has hours. */
const FEW_DAYS = 4 * 86_400
const DARK = '(prefers-color-scheme: dark)'

/**
 * Lines over time. The plot is a picture: who can't see it is given `summary`, and the numbers stand in a table of their own.
 * @param increments - of the axis of values: the first that leaves enough room is taken
 */
export function Plot({
  lines,
  summary,
  increments,
  format,
}: {
  readonly lines: readonly Line[]
  readonly summary: string
  readonly increments: readonly number[]
  readonly format: (value: number) => string
}) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = box.current
    if (!element) return
    let plot = draw(element, lines, increments, format)
    const scheme = matchMedia(DARK)
    const repaint = (): void => {
      plot.destroy()
      plot = draw(element, lines, increments, format)
    }
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    resized.observe(element)
    scheme.addEventListener('change', repaint)
    return () => {
      scheme.removeEventListener('change', repaint)
      resized.disconnect()
      plot.destroy()
    }
  }, [lines, increments, format])
  return (
    <>
      <ul class="plot-legend" aria-hidden="true">
        {lines.map(({ name }, i) => (
          <li key={name}>
            <svg class={`line-${i % COLOURS}`} width="28" height="8">
              <path d="M0 4H28" stroke-dasharray={dashOf(i).join(' ')} />
            </svg>{' '}
            {name}
          </li>
        ))}
      </ul>
      <div ref={box} class="plot" role="img" aria-label={summary} />
    </>
  )
}

function dashOf(line: number): number[] {
  return DASHES[line % DASHES.length] ?? []
}

function draw(
  element: HTMLElement,
  lines: readonly Line[],
  increments: readonly number[],
  format: (value: number) => string,
): UPlot {
  const style = getComputedStyle(element)
  const soft = colourOf(element, '--soft')
  const axis: UPlot.Axis = {
    stroke: soft,
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colourOf(element, '--line'), width: 1 },
    ticks: { show: false },
  }
  return new UPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      // The legend is ours, and numbers are in the table: a pointer is not needed to read them.
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_plot, min, max) => (min === max ? [min - 43_200, max + 43_200] : [min, max]) },
        y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : (increments[0] ?? 1)] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          values: (_plot, times, _axis, _space, step) => times.map((time) => dayOf(time, step)),
          space: spaceOf,
        },
        {
          ...axis,
          size: 78,
          incrs: [...increments],
          values: (_plot, values) => values.map((value) => format(value)),
        },
      ],
      series: [
        {},
        ...lines.map(({ name }, i): UPlot.Series => {
          const stroke = colourOf(element, `--line-${i % COLOURS}`)
          return { label: name, stroke, width: 2, dash: dashOf(i), spanGaps: true, points: pointsOf(stroke) }
        }),
      ],
    },
    columnsOf(lines),
    element,
  )
}

/** A canvas takes no variables of CSS, and no `light-dark()`. */
function colourOf(element: HTMLElement, variable: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${variable})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function pointsOf(fill: string): UPlot.Series.Points {
  // Of a line of many points the points say nothing more.
  return { size: 6, fill, stroke: fill, show: (plot) => plot.data[0].length < 40 }
}

/** The room for a date, or for a date and a time, in pixels: see `dayOf`. */
function spaceOf(_plot: UPlot, _axis: number, min: number, max: number): number {
  return max - min > FEW_DAYS ? 50 : 90
}

/** `11-23`, or with steps of less than a day `11-23 10:00`, in the time of this machine. */
function dayOf(seconds: number, step: number): string {
  const date = new Date(seconds * 1000)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return step < 86_400 ? `${day} ${two(date.getHours())}:${two(date.getMinutes())}` : day
}

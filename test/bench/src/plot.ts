/** One line of a panel. */
export interface Series {
  readonly name: string
  /** In order of x; both more than 0, as both axes are logarithmic. */
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Panel {
  readonly label: string
  readonly series: readonly Series[]
}

const WIDTH = 490
const HEIGHT = 320
const LEFT = 58
const TOP = 34
const PLOT_WIDTH = 290
const PLOT_HEIGHT = 232
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#555555', '#000000']

/** Panels side by side, with the same x axis, as an SVG that is read on light and on dark pages. */
export function plot(title: string, xLabel: string, panels: readonly Panel[]): string {
  const width = WIDTH * panels.length
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" font-family="sans-serif" font-size="11">
<title>${escaped(title)}</title>
<rect width="${width}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="16" font-size="13" fill="#222">${escaped(title)}</text>
${panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">\n${drawn(panel, xLabel)}\n</g>`).join('\n')}
</svg>
`
}

function drawn({ label, series }: Panel, xLabel: string): string {
  const points = series.flatMap((one) => one.points)
  const [xs, ys] = [decades(points.map(([x]) => x)), decades(points.map(([, y]) => y))]
  const at = (value: number, [from, to]: readonly [number, number]) =>
    (Math.log10(value) - from) / (to - from)
  const x = (value: number) => LEFT + at(value, xs) * PLOT_WIDTH
  const y = (value: number) => TOP + PLOT_HEIGHT - at(value, ys) * PLOT_HEIGHT
  const ticks = ([from, to]: readonly [number, number]) =>
    Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
  const grid = [
    ...ticks(xs).map(
      (tick) =>
        `<path d="M${round(x(tick))} ${TOP}v${PLOT_HEIGHT}" stroke="#ddd"/><text x="${round(x(tick))}" y="${TOP + PLOT_HEIGHT + 15}" text-anchor="middle" fill="#444">${short(tick)}</text>`,
    ),
    ...ticks(ys).map(
      (tick) =>
        `<path d="M${LEFT} ${round(y(tick))}h${PLOT_WIDTH}" stroke="#ddd"/><text x="${LEFT - 5}" y="${round(y(tick)) + 4}" text-anchor="end" fill="#444">${short(tick)}</text>`,
    ),
  ]
  const lines = series.map(({ name, points: line }, i) => {
    const colour = COLOURS[i % COLOURS.length]
    const marks = line.map(
      ([px, py]) => `<circle cx="${round(x(px))}" cy="${round(y(py))}" r="3" fill="${colour}"/>`,
    )
    const path = line.map(([px, py]) => `${round(x(px))} ${round(y(py))}`).join('L')
    const legend = TOP + 10 + i * 16
    return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>${marks.join('')}<circle cx="${LEFT + PLOT_WIDTH + 14}" cy="${legend - 4}" r="4" fill="${colour}"/><text x="${LEFT + PLOT_WIDTH + 22}" y="${legend}" fill="#222">${escaped(name)}</text>`
  })
  return [
    ...grid,
    ...lines,
    `<text x="${LEFT + PLOT_WIDTH / 2}" y="${HEIGHT - 14}" text-anchor="middle" fill="#222">${escaped(xLabel)}</text>`,
    `<text transform="translate(14 ${TOP + PLOT_HEIGHT / 2}) rotate(-90)" text-anchor="middle" fill="#222">${escaped(label)}</text>`,
  ].join('\n')
}

/** The powers of ten that hold all values: two at least. */
function decades(values: readonly number[]): readonly [number, number] {
  const from = Math.floor(Math.log10(Math.min(...values)))
  return [from, Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9))]
}

function short(value: number): string {
  return value >= 1e6
    ? `${value / 1e6}M`
    : value >= 1e3
      ? `${value / 1e3}k`
      : String(Number(value.toPrecision(1)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}

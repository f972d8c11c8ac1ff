import type { Cell } from './terminal-screen.ts'

const COLUMN = 8.4
const LINE = 20
const MARGIN = 16
const BAR = 32
/** On a dark ground; each has a contrast of 4.5 to it at least. */
const COLOURS: Readonly<Record<number, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
  90: '#9198a1',
}

/**
 * A terminal's screen as a picture that needs no font of its own: every line is stretched to the columns that it has.
 * @param columns - how wide the terminal is
 * @param title - what a screen reader says
 */
export function svgOf(rows: readonly (readonly Cell[])[], columns: number, title: string): string {
  const width = columns * COLUMN + 2 * MARGIN
  const shownRows = rows.findLastIndex((row) => row.length > 0) + 1
  const height = BAR + shownRows * LINE + MARGIN
  const lines = rows.flatMap((row, index) => {
    const length = row.findLastIndex(({ character }) => character !== ' ') + 1
    if (length === 0) return []
    const y = BAR + (index + 0.7) * LINE
    const shown = runsOf(row.slice(0, length)).map(
      ({ text, style }) => `<tspan${attributesOf(style)}>${kept(text)}</tspan>`,
    )
    return `<text x="${MARGIN}" y="${y}" textLength="${round(length * COLUMN)}" lengthAdjust="spacingAndGlyphs">${shown.join('')}</text>`
  })
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, index) => `<circle cx="${MARGIN + 6 + index * 20}" cy="16" r="6" fill="${fill}"/>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${height}" width="${round(width)}" height="${height}" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${dots.join('')}
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="#e6edf3">
${lines.join('\n')}
</g>
</svg>
`
}

function runsOf(row: readonly Cell[]): { text: string; readonly style: readonly number[] }[] {
  const runs: { text: string; readonly style: readonly number[] }[] = []
  for (const { character, style } of row) {
    const last = runs.at(-1)
    if (last && last.style.join() === style.join()) last.text += character
    else runs.push({ text: character, style })
  }
  return runs
}

function attributesOf(style: readonly number[]): string {
  const fill = style.map((code) => COLOURS[code]).findLast((colour) => colour !== undefined)
  return [
    fill === undefined ? '' : ` fill="${fill}"`,
    style.includes(1) ? ' font-weight="bold"' : '',
    style.includes(2) ? ' opacity="0.75"' : '',
  ].join('')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Blanks that follow each other are one in SVG, whatever `xml:space` says, in browsers of today. */
function kept(text: string): string {
  return escaped(text).replaceAll(' ', '\u00a0')
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

import { expect, test } from 'vitest'
import { BYTE_STEPS } from './plot-scale.ts'
import { svgPlot } from './svg-plot.ts'

const at = (day: number, value: number) => ({ time: new Date(2026, 10, day, 12), value })
const options = { summary: 'sizes', steps: BYTE_STEPS, format: (value: number) => `${value} B` }

test('a line goes from the left to the right, its highest value is below the top, and names are escaped', async () => {
  const lines = [
    { name: '<b>&"disk', points: [at(1, 0), at(2, 50), at(3, 100)] },
    { name: 'new', points: [] },
  ]
  const svg = String(await svgPlot({ ...options, summary: '"><script>', lines }))
  expect(svg).toContain('<g class="line-0"><path d="M78 184L263 116L448 48.1"/>')
  expect(svg).toContain('&lt;b&gt;&amp;&quot;disk')
  expect(svg).toContain('aria-label="&quot;&gt;&lt;script&gt;"')
  expect([...svg.matchAll(/>(\d+ B)</g)].map(([, tick]) => tick)).toEqual([
    '0 B',
    '32 B',
    '64 B',
    '96 B',
    '128 B',
  ])
  expect([...svg.matchAll(/>(2026-\d\d-\d\d)</g)].map(([, day]) => day)).toEqual([
    '2026-11-01',
    '2026-11-02',
    '2026-11-03',
  ])
  expect(svg).not.toMatch(/NaN|undefined|Infinity|style=/)
})

test('one point stands in the middle, above its day', async () => {
  const svg = String(await svgPlot({ ...options, lines: [{ name: 'disk', points: [at(1, 0)] }] }))
  expect(svg).toContain('<circle cx="263" cy="184" r="2.5"/>')
  expect(svg).toContain('<text x="263" y="204" text-anchor="middle">2026-11-01</text>')
})

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { TerminalScreen } from './terminal-screen.ts'
import { svgOf } from './terminal-svg.ts'

function shown(text: string): string[] {
  const screen = new TerminalScreen()
  screen.write(text)
  return screen.rows.map((row) => row.map(({ character }) => character).join(''))
}

test('what was written over is gone', () => {
  expect(shown('one\r\ntwo\r\n\x1b[2A\r\x1b[0Jthree\r\n')).toEqual(['three', ''])
  expect(shown('long line\rshort\x1b[K')).toEqual(['short'])
  expect(shown('a\r\x1b[2Kb')).toEqual(['b'])
})

test('what is not known is an error, and not a wrong picture', () => {
  expect(() => shown('\x1b[5S')).toThrow('not known')
})

test('styles become colours; what is markup is escaped; a title is there', () => {
  const screen = new TerminalScreen()
  screen.write('\x1b[31mred\x1b[39m <b> & \x1b[1mbold\x1b[22m')
  const svg = svgOf(screen.rows, 80, 'a run')
  expect(svg).toContain('<tspan fill="#ff7b72">red</tspan>')
  expect(svg).toContain('\u00a0&lt;b&gt;\u00a0&amp;\u00a0')
  expect(svg).toContain('<tspan font-weight="bold">bold</tspan>')
  expect(svg).toContain('<title>a run</title>')
})

test('the picture of the README is of commands that there are, and of no path of the machine that made it', () => {
  const svg = readFileSync(resolve(import.meta.dirname, '../../../docs/demo.svg'), 'utf8').replaceAll(
    '\u00a0',
    ' ',
  )
  for (const text of [
    'init',
    'run',
    'snapshots',
    'restore',
    'on 3 of 3 sinks',
    'the restored tree is the same',
  ])
    expect(svg).toContain(text)
  expect(svg).not.toMatch(/\/tmp|\/root/)
})

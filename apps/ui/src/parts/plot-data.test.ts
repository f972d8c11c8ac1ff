import { expect, test } from 'vitest'
import { columnsOf, daysOf } from './plot-data.ts'

const at = (time: string, value: number) => ({ time, value })

test('lines with times of their own become columns with one, without values where a line has none', () => {
  const lines = [
    { name: 'disk', points: [at('1970-01-01T00:00:01Z', 5), at('1970-01-01T00:00:03Z', 6)] },
    { name: 'cloud', points: [at('1970-01-01T00:00:02Z', 0), at('1970-01-01T00:00:03Z', 7)] },
    { name: 'new', points: [] },
  ]
  expect(columnsOf(lines)).toEqual([
    [1, 2, 3],
    [5, null, 6],
    [null, 0, 7],
    [null, null, null],
  ])
})

test('of each day the last point counts, and the newest day is first', () => {
  const points = [at('2026-11-22T10:00:00', 1), at('2026-11-22T11:00:00', 2), at('2026-11-23T00:00:00', 3)]
  expect(daysOf(points)).toEqual([points[2], points[1]])
  expect(daysOf([])).toEqual([])
})

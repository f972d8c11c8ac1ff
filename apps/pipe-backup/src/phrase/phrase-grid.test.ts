import { expect, test } from 'vitest'
import { phraseGrid } from './phrase-grid.ts'
import { normalisePhrase } from './read-phrase.ts'

const WORDS = Array.from({ length: 24 }, (_, i) => `${'abcdefghijklmnopqrstuvwxyz'.charAt(i)}word`)

test('every word stands in the grid once, behind its number', () => {
  const grid = phraseGrid(WORDS.join(' '))
  for (const [index, word] of WORDS.entries()) {
    expect(grid).toMatch(new RegExp(`(^|\\s)${index + 1} ${word}(\\s|$)`, 'm'))
  }
})

test('a grid copied row by row from numbers in order would be another phrase: the columns are read downwards', () => {
  const rows = phraseGrid(WORDS.join(' '))
    .split('\n')
    .filter((line) => /^\s+\d+ /.test(line))
  expect(rows).toHaveLength(6)
  expect(normalisePhrase(rows[0] ?? '')).toBe('aword gword mword sword')
})

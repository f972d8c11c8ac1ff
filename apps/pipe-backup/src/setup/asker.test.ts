import { expect, test } from 'vitest'
import { createAsker, wrap } from './asker.ts'

/** Somebody who gives these answers, and all that was shown. */
function answering(...answers: readonly string[]) {
  const left = [...answers]
  const shown: string[] = []
  const asker = createAsker({
    print: (text) => void shown.push(text),
    columns: () => 40,
    read: async (prompt) => {
      shown.push(prompt)
      const answer = left.shift()
      if (answer === undefined) throw new Error('no more answers')
      return answer
    },
  })
  return { asker, shown: () => shown.join('') }
}

const CHOICES = [
  { value: 'a', label: 'the first' },
  { value: undefined, label: 'nothing' },
]

test('an empty line is what is in brackets, and the first of a list where nothing else is suggested', async () => {
  const { asker } = answering('', '', '', '')
  expect(await asker.line('name', 'disk')).toBe('disk')
  expect(await asker.choose('Which?', CHOICES)).toBe('a')
  expect(
    await asker.choose<string | undefined>('Which?', [...CHOICES, { value: 'b', label: 'b' }], 'b'),
  ).toBe('b')
  expect(await asker.confirm('Sure', true)).toBe(true)
})

test('a question is asked until its answer is one of those there are', async () => {
  const { asker, shown } = answering('0', '3', 'x', '2', 'perhaps', 'N')
  expect(await asker.choose('Which?', CHOICES)).toBe(undefined)
  expect(await asker.confirm('Sure', true)).toBe(false)
  expect(shown().match(/Please type a number from 1 to 2\./g)).toHaveLength(3)
  expect(shown()).toContain('Please type yes or no.')
})

test('lines are broken at blanks, and go on below where they began', () => {
  expect(wrap('  one two three', 21)).toBe('  one two three')
  expect(wrap('  one two three four five', 21)).toBe('  one two three four\n  five')
  expect(wrap(`a ${'x'.repeat(30)} b`, 21, 3)).toBe(`a\n   ${'x'.repeat(30)}\n   b`)
})

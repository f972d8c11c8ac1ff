import { expect, test } from 'vitest'
import { HiddenLines } from './prompt-hidden.ts'

const LINE = 'abandon '.repeat(23)

function type(keys: string): { state: string; text: string } {
  const lines = new HiddenLines()
  for (const key of keys) {
    const state = lines.type(key)
    if (state === 'done' || state === 'cancelled') return { state, text: lines.text.trim() }
  }
  return { state: 'typing', text: lines.text.trim() }
}

test('Enter after 24 words is the end', () => {
  expect(type(`${LINE}art\rmore`)).toEqual({ state: 'done', text: `${LINE}art` })
})

test('a phrase pasted in lines goes on until 24 words are there', () => {
  const words = `${LINE}art`.split(' ')
  const { state, text } = type(`${words.slice(0, 12).join(' ')}\n${words.slice(12).join(' ')}\n`)
  expect(state).toBe('done')
  expect(text.split(/\s+/)).toEqual(words)
})

test('an empty line ends it early', () => {
  expect(type('too few\n\n')).toEqual({ state: 'done', text: 'too few' })
})

test('Backspace takes a letter back, Ctrl-U the line, Ctrl-C everything', () => {
  expect(type('abx\u007F').text).toBe('ab')
  expect(type('abc\u0015d').text).toBe('d')
  expect(type('abc\u0003').state).toBe('cancelled')
})

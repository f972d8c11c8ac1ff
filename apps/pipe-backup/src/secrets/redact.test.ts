import { expect, test } from 'vitest'
import { hide, redact } from './redact.ts'

test('a hidden secret is taken out of a text, also as it stands in an address', () => {
  hide('p@ss/word')
  expect(redact('login with p@ss/word to https://u:p%40ss%2Fword@h failed')).toBe(
    'login with [secret] to https://u:[secret]@h failed',
  )
})

test('a secret too short to be distinguished from ordinary words is left alone', () => {
  hide('an')
  expect(redact('an error')).toBe('an error')
})

import { expect, test } from 'vitest'
import { parseJson } from './json-document.ts'

test.for(['[', '{"a":'])('JSON that begins with a hundred thousand %s has too many levels', (level) => {
  const message = 'f: not JSON: too many levels'
  expect(() => parseJson(level.repeat(100_000), 'f')).toThrow(
    expect.objectContaining({ code: 'unreadable', message }),
  )
})

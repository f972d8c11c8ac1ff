import { expect, test } from 'vitest'
import { UsageError } from '../usage-error.ts'
import { checkTags } from './check-tags.ts'

test('tags with spaces and in any language pass', () => {
  expect(() => checkTags(['before the move', 'März', '1.0'])).not.toThrow()
})

test.for(['', 'a,b', ' a', 'a\n'])('%j is refused, and named', (tag) => {
  expect(() => checkTags(['fine', tag])).toThrow(UsageError)
  expect(() => checkTags(['fine', tag])).toThrow(JSON.stringify(tag))
})

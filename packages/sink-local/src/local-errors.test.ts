import { getSystemErrorName } from 'node:util'
import { expect, test } from 'vitest'
import { toSinkError } from './local-errors.ts'

test('a quota that is used up, for which Node has no name, is a full disk', () => {
  const cause = Object.assign(new Error('write'), { errno: -122, code: getSystemErrorName(-122) })
  expect(toSinkError(cause, 'disk')).toMatchObject({
    code: 'full',
    message: expect.stringContaining('the disk quota is used up'),
    hint: expect.stringContaining('have the quota raised'),
  })
})

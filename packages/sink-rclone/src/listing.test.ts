import { expect, test } from 'vitest'
import { parseListed } from './listing.ts'
import { RcloneFailure, toSinkError } from './rclone-errors.ts'

const LISTED = { Path: 'a', Size: 1, ModTime: '2026-11-23T10:00:00Z', IsDir: false, Hashes: { md5: 'ab' } }

test('what rclone lists is read', () => {
  expect(parseListed(JSON.stringify(LISTED), 's')).toEqual(LISTED)
})

test.for([
  '',
  '{"Path":"a","Size":1',
  'null',
  '[]',
  '{}',
  JSON.stringify({ ...LISTED, Path: 7 }),
  JSON.stringify({ ...LISTED, Size: '1' }),
  JSON.stringify({ ...LISTED, ModTime: null }),
  JSON.stringify({ ...LISTED, Hashes: { md5: [] } }),
])('%j is no answer', (json) => {
  expect(() => parseListed(json, 's')).toThrow(expect.objectContaining({ code: 'protocol', sink: 's' }))
})

test('what rclone complains of is one line, and a short one', () => {
  const failure = new RcloneFailure(1, `first\rlast ${'x'.repeat(10_000)}`, undefined)
  expect(toSinkError(failure, 's')).toMatchObject({
    message: expect.stringMatching(/^sink "s": rclone .{0,600}$/),
  })
})

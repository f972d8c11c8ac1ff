import { listedThrough } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { parseListed } from './listing.ts'

test('a line of --list-only is an object, with its time in UTC', () => {
  expect(parseListed('-rw-------    16777216 2026/11/23 16:43:34 packs/ab/abcd')).toEqual({
    key: 'packs/ab/abcd',
    sizeBytes: 16_777_216,
    storedAt: new Date('2026-11-23T16:43:34Z'),
  })
  expect(parseListed('-rw------- 12345678901234 2026/11/23 16:43:34 k')?.sizeBytes).toBe(12_345_678_901_234)
})

test('a date that is none is no answer, and no date that nothing can be compared with', async () => {
  const decode = () =>
    [parseListed('-rw------- 3 2026/13/41 16:43:34 k')].filter((info) => info !== undefined)
  await expect(listedThrough(decode)).rejects.toMatchObject({ code: 'protocol', key: 'k' })
})

test.for([
  'drwxr-xr-x        4096 2026/11/23 16:42:55 packs',
  'lrwxrwxrwx          11 2026/11/23 16:42:55 link -> elsewhere',
  '-rw-------           3 2026/11/23 16:42:55 .abcd.x1Y2z3',
  '-rw-------           3 2026/11/23 16:42:55 packs/.abcd.x1Y2z3',
  '-rw-------           3 2026/11/23 16:42:55 a b',
  '-rw-------           3 2026/11/23 16:42:55 a\\#012b',
  'Welcome to our rsync server!',
  '',
])('"%s" is no object', (line) => {
  expect(parseListed(line)).toBeUndefined()
})

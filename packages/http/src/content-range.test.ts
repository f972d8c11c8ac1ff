import { expect, test } from 'vitest'
import { parseContentRange } from './content-range.ts'

test('which bytes an answer brings', () => {
  expect(parseContentRange('bytes 3-9/20')).toEqual({ from: 3, end: 10, sizeBytes: 20 })
  expect(parseContentRange('Bytes 0-0/1')).toEqual({ from: 0, end: 1, sizeBytes: 1 })
})

test('a server may not know how long the object is', () => {
  expect(parseContentRange('bytes 3-9/*')).toEqual({ from: 3, end: 10, sizeBytes: undefined })
})

test.for([
  undefined,
  '',
  'bytes */20',
  'bytes */*',
  'bytes 9-3/20',
  'bytes 3-20/20',
  'bytes=3-9/20',
  'bytes 3-9',
  'items 3-9/20',
  'bytes 3-9/20, 11-12/20',
])('%s says nothing of the kind', (header) => {
  expect(parseContentRange(header)).toBeUndefined()
})

import { expect, test } from 'vitest'
import { toSnapshotPath } from './snapshot-path.ts'

test.for(['wallet/home/x', '/wallet//home/x/', 'wallet/home/x/'])('%s is wallet/home/x', (argument) => {
  expect(Buffer.from(toSnapshotPath(argument)).toString()).toBe('wallet/home/x')
})

test.for(['', '/', 'wallet/../x', './wallet', 'wallet/.'])('%j is refused', (argument) => {
  expect(() => toSnapshotPath(argument)).toThrow(expect.objectContaining({ code: 'usage' }))
})

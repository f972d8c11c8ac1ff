import { expect, test } from 'vitest'
import { nearestName } from './nearest-name.ts'

const KNOWN = ['name', 'path', 'paths', 'exclude', 'excludeCaches', 'databases', 'concurrency']

test.for([
  ['nmae', 'name'],
  ['Path', 'path'],
  ['exlude', 'exclude'],
  ['excludecaches', 'excludeCaches'],
  ['database', 'databases'],
  ['concurency', 'concurrency'],
  ['excl', 'exclude'],
] as const)('%s is taken for %s', ([typed, meant]) => {
  expect(nearestName(typed, KNOWN)).toBe(meant)
})

test.for(['bucket', 'x', '', 'zzzzzzzzz'])('%j is taken for nothing', (typed) => {
  expect(nearestName(typed, KNOWN)).toBeUndefined()
})

import { expect, test } from 'vitest'
import { howFar } from './how-far.ts'

test.for<[done: number, total: number | undefined, rate: number, words: string[]]>([
  [41, 100, 2, ['41%', '30 s left']],
  [0, 100, 0, ['0%']],
  [120, 100, 5, ['99%']],
  [100, 100, 5, ['99%']],
  [5, undefined, 5, []],
  [0, 0, 5, []],
])('of %d of %s, at %d a second', ([done, total, rate, words]) => {
  expect(howFar(done, total, rate)).toEqual(words)
})

import { expect, test } from 'vitest'
import { howFar } from './how-far.ts'

test.for<[done: number, total: number | undefined, rate: number, elapsedMs: number, words: string[]]>([
  [41, 100, 2, 3000, ['41%', '30 s left']],
  [41, 100, 2, 2999, ['41%']],
  [0, 100, 0, 9000, ['0%']],
  [120, 100, 5, 9000, ['99%']],
  [100, 100, 5, 9000, ['99%']],
  [5, undefined, 5, 9000, []],
  [0, 0, 5, 9000, []],
])('of %d of %s, at %d a second, after %d ms', ([done, total, rate, elapsedMs, words]) => {
  expect(howFar(done, total, rate, elapsedMs)).toEqual(words)
})

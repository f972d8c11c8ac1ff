import { expect, test } from 'vitest'
import { WriteWindow } from './write-window.ts'

test('on a slow line few writes wait at once, at least one, and more again when it is faster', () => {
  const window = new WriteWindow()
  expect(window.requests).toBe(16)
  const after = (ms: number, answers: number) => {
    for (let i = 0; i < answers; i++) window.answered(ms)
    return window.requests
  }
  expect(after(8000, 2)).toBe(4)
  expect(after(3000, 100)).toBe(4)
  expect(after(60_000, 100)).toBe(1)
  expect(after(100, 3)).toBe(4)
  expect(after(100, 100)).toBe(16)
})

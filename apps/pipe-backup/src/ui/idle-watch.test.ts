import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { IdleWatch } from './idle-watch.ts'

let expired: number
let watch: IdleWatch
beforeEach(() => {
  vi.useFakeTimers()
  expired = 0
  watch = new IdleWatch(1000, () => expired++)
})
afterEach(() => vi.useRealTimers())

test('what is not used is found idle once, after its time', () => {
  watch.start()
  vi.advanceTimersByTime(999)
  expect([expired, watch.until?.getTime()]).toEqual([0, Date.now() + 1])
  vi.advanceTimersByTime(5000)
  expect([expired, watch.until]).toEqual([1, undefined])
})

test('each use begins the time again', () => {
  watch.start()
  for (let i = 0; i < 5; i++) {
    vi.advanceTimersByTime(900)
    watch.use()[Symbol.dispose]()
  }
  expect(expired).toBe(0)
  vi.advanceTimersByTime(1000)
  expect(expired).toBe(1)
})

test('what is in use is never idle, and is so a full time after its end', () => {
  watch.start()
  const use = watch.use()
  vi.advanceTimersByTime(10_500)
  use[Symbol.dispose]()
  use[Symbol.dispose]()
  vi.advanceTimersByTime(999)
  expect(expired).toBe(0)
  vi.advanceTimersByTime(1)
  expect(expired).toBe(1)
})

test('what was stopped is watched no more, also when a use of it ends later', () => {
  watch.start()
  const use = watch.use()
  watch.stop()
  use[Symbol.dispose]()
  vi.advanceTimersByTime(5000)
  expect([expired, watch.until]).toEqual([0, undefined])
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { waitUntil } from './wait-until.ts'

const NOON = new Date('2026-11-23T12:00:00Z')
const at = (time: string) => new Date(`2026-11-23T${time}Z`)
let stop: AbortController

beforeEach(() => {
  vi.useFakeTimers({ now: NOON, toFake: ['Date'] })
  stop = new AbortController()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a moment that has passed is due, whatever the clock was before', async () => {
  expect(await waitUntil(at('11:00:00'), stop.signal)).toBe('due')
  stop.abort()
  expect(await waitUntil(at('11:00:00'), stop.signal)).toBe('stopped')
  expect(await waitUntil(at('13:00:00'), stop.signal)).toBe('stopped')
})

test('a clock that is set back ends the wait: the moment may be years away now', async () => {
  const waiting = waitUntil(new Date(NOON.getTime() + 100), stop.signal)
  vi.setSystemTime(new Date('2024-11-23T12:00:00Z'))
  expect(await waiting).toBe('set back')
})

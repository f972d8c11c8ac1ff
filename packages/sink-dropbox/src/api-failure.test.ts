import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { failureOf } from './api-failure.ts'

function answered(headers: Record<string, string>, text = ''): number | undefined {
  const response = Object.assign(new IncomingMessage(new Socket()), { statusCode: 429, headers })
  return failureOf(response, text, []).retryAfterMs
}

test('how long to wait is what is said in the header or in the answer, in seconds or until a date', () => {
  expect(answered({ 'retry-after': '7' })).toBe(7000)
  expect(answered({}, '{"error": {".tag": "too_many_requests", "retry_after": 300}}')).toBe(300_000)
  const later = new Date(Date.now() + 60_000).toUTCString()
  expect(answered({ 'retry-after': later })).toBeGreaterThan(55_000)
  expect(answered({ 'retry-after': new Date(0).toUTCString() })).toBe(0)
  expect(answered({ 'retry-after': 'soon' })).toBeUndefined()
  expect(answered({})).toBeUndefined()
})

test('an error of many levels is known by its first ones', () => {
  const response = Object.assign(new IncomingMessage(new Socket()), { statusCode: 409, headers: {} })
  const text = `{"error":${'{".tag":"a","a":'.repeat(100_000)}1${'}'.repeat(100_001)}`
  expect(failureOf(response, text, []).message).toMatch(/^409 (a\/){15}a$/)
})

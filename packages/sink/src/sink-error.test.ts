import { expect, test } from 'vitest'
import { SinkError } from './sink-error.ts'

test('an error about an object names it; one that any other request would have met does not', () => {
  const place = { sink: 'cloud', key: 'packs/a' }
  const messages = (
    ['not-found', 'corrupt', 'forbidden', 'unreachable', 'unauthorized', 'full'] as const
  ).map((code) => new SinkError(code, 'is so', place))
  expect(messages.map(({ message }) => message)).toEqual([
    ...Array(3).fill('sink "cloud": packs/a is so'),
    ...Array(3).fill('sink "cloud": is so'),
  ])
  expect(messages.every(({ key }) => key === 'packs/a')).toBe(true)
})

test('the key is the subject of what happened, or stands before it', () => {
  const place = { sink: 'aws', key: 'packs/00' }
  expect(new SinkError('not-found', 'is not there', place).message).toBe('sink "aws": packs/00 is not there')
  expect(new SinkError('forbidden', 'the server does not allow it', place).message).toBe(
    'sink "aws": packs/00: the server does not allow it',
  )
})

test('a place that is missing is not there a moment later either', () => {
  const failure = (isPlaceMissing: boolean) =>
    new SinkError('unreachable', '/backup is not there', { sink: 'far', isPlaceMissing })
  expect([failure(false).retryable, failure(true).retryable]).toEqual([true, false])
})

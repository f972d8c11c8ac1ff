import { expect, test } from 'vitest'
import { notActedOn } from './not-acted-on.ts'

test('options that are accepted but not acted on are listed by their paths', () => {
  const sources = [
    { type: 'files', name: 'a' },
    { type: 'files', name: 'b', every: '1d', before: ['x'], after: ['y'] },
  ]
  const sinks = [{ type: 'local', name: 's' }]
  expect(notActedOn({ vault: 'v', sources, sinks, schedule: '0 * * * *', keep: {}, notify: [] })).toEqual([
    'schedule',
    'notify',
    'sources[1].every',
    'sources[1].before',
    'sources[1].after',
  ])
})

test('nothing is listed where everything is acted on', () => {
  expect(
    notActedOn({ vault: 'v', sources: [], sinks: [{ type: 'local', name: 's', uploadLimit: 5 }] }),
  ).toEqual([])
})

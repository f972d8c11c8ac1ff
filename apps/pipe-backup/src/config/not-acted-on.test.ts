import { expect, test } from 'vitest'
import { notActedOn } from './not-acted-on.ts'

const sinks = [{ type: 'local', name: 's' }]

test('options that are accepted but not acted on are listed', () => {
  expect(notActedOn({ vault: 'v', sources: [], sinks, schedule: '0 * * * *', notify: [] })).toEqual([
    'notify',
  ])
})

test('nothing is listed where everything is acted on', () => {
  const sources = [{ type: 'files', name: 'b', every: '1d', before: ['x'], after: ['y'] }]
  expect(notActedOn({ vault: 'v', sources, sinks })).toEqual([])
})

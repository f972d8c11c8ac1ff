import { expect, test } from 'vitest'
import type { LoadedConfig } from '../config/load-config.ts'
import { readAsOf } from './read-as.ts'

const of = (source: object): string | undefined => {
  const config = { sources: [{ type: 'mysql', name: 'db', ...source }], sinks: [] } as unknown as LoadedConfig
  return readAsOf(config).get('db')
}

test('what is read counts; when, and with which password, does not', () => {
  const before = of({ databases: ['shop'], password: 'one', every: '1d' })
  expect(of({ every: '2d', password: 'two', databases: ['shop'], before: ['sync'] })).toBe(before)
  expect(of({ databases: ['shop', 'more'], password: 'one', every: '1d' })).not.toBe(before)
  expect(before).toMatch(/^[0-9a-f]{32}$/)
})

import { expect, test } from 'vitest'
import { reportLines, reportToJson } from './run-report.ts'

const REPORT = {
  snapshot: '0123456789abcdef',
  copies: 1,
  sources: [
    { name: 'wallet', state: 'ok', entries: 3, bytes: 2048, bytesRead: 2048, bytesNew: 1024, problems: 0 },
    {
      name: 'db',
      state: 'failed',
      entries: 0,
      bytes: 0,
      bytesRead: 0,
      bytesNew: 0,
      problems: 0,
      error: 'it failed',
    },
  ],
  sinks: [{ name: 'disk', state: 'ok', bytesSent: 1024, healed: 2 }],
  bytesStored: 900,
  seconds: 1.25,
  exitCode: 3,
} as const

test('the JSON has the keys that scripts rely on, in their order', () => {
  const json = reportToJson(REPORT)
  expect(Object.keys(json)).toEqual([
    'snapshot',
    'copies',
    'exitCode',
    'sources',
    'sinks',
    'bytesStored',
    'seconds',
  ])
  expect(json).toEqual(REPORT)
})

test('people are shown the snapshot, every source and every sink', () => {
  expect(reportLines(REPORT)).toEqual([
    'snapshot 0123456789abcdef on 1 of 1 sink, 900 B stored on each, 1.3 s',
    '  wallet  ok          3 entries  2.0 KiB read  1.0 KiB new',
    '  db      failed      0 entries  0 B read  0 B new',
    '  disk    ok          1.0 KiB sent  2 objects healed',
  ])
})

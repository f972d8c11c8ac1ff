import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { forget, hide } from '../secrets/redact.ts'
import { LOG_EVENTS, logRecord } from './json-log.ts'

const NOW = new Date('2026-11-23T10:00:00Z')

test('a record has time, level, command, event and message, and what else is known', () => {
  const details = { event: 'sink', sink: 'cloud', message: 'no space left', hint: 'Free some.' } as const
  const record = logRecord('error', 'run', 'sink "cloud": no space left. Free some.', details, NOW)
  expect(JSON.parse(record)).toEqual({
    time: '2026-11-23T10:00:00.000Z',
    level: 'error',
    command: 'run',
    event: 'sink',
    message: 'no space left',
    sink: 'cloud',
    hint: 'Free some.',
  })
})

test('a record is one line whatever is in it, and has no secret, not even one that JSON writes otherwise', () => {
  const secret = 'pass"word\nof two lines'
  hide(secret)
  try {
    const details = { hint: `try ${secret}`, report: { sinks: [{ error: `${secret} refused` }] } }
    const record = logRecord('error', 'run', `refused:\n${secret}\u2028`, details, NOW)
    expect(record).not.toContain('\n')
    expect(JSON.parse(record)).toMatchObject({
      message: 'refused:\n[secret]\u2028',
      hint: 'try [secret]',
      report: { sinks: [{ error: '[secret] refused' }] },
    })
  } finally {
    forget(secret)
  }
})

test('a record that a container runtime would split leaves out its report and cuts its message', () => {
  const report = { removed: Array.from({ length: 2000 }, (_, at) => `snapshot-${at}`) }
  const record = logRecord('info', 'prune', 'é'.repeat(20_000), { event: 'report', report }, NOW)
  expect(Buffer.byteLength(record)).toBeLessThan(16 * 1024)
  const read: unknown = JSON.parse(record)
  expect(read).toMatchObject({ event: 'report', truncated: true, message: 'é'.repeat(2000) })
  expect(read).not.toHaveProperty('report')
})

test('the document has every event, and no other', () => {
  const docs = readFileSync(new URL('../../../../docs/monitoring.md', import.meta.url), 'utf8')
  const rows = docs
    .slice(docs.indexOf('## Logs as JSON'))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rows.map(([, name, what]) => [name, what])).toEqual(
    Object.entries(LOG_EVENTS).map(([name, what]) => [`\`${name}\``, what]),
  )
})

import { execFileSync } from 'node:child_process'
import { Cron } from 'croner'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { calendarEvents } from './calendar-events.ts'
import { parseCron } from './cron-expression.ts'
import { longestIntervalMs, nextRuns } from './next-runs.ts'

const FROM = new Date('2026-11-23T10:00:30Z')

const field = (least: number, most: number) => {
  const value = fc.integer({ min: least, max: most })
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
  const part = fc.oneof(
    value.map(String),
    range,
    fc.integer({ min: 1, max: 20 }).map((step) => `*/${step}`),
    fc.tuple(range, fc.integer({ min: 1, max: 5 })).map(([some, step]) => `${some}/${step}`),
  )
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant('*') },
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
  )
}
const crons = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
  .map((fields) => fields.join(' '))

/** What croner makes of the text itself; undefined where it takes a step to be too long. */
function croner(cron: string, domAndDow: boolean): Date[] | undefined {
  try {
    return new Cron(cron, { domAndDow }).nextRuns(3, FROM)
  } catch {
    return undefined
  }
}

test('what the fields mean is what another reader of crontabs takes them for', () => {
  fc.assert(
    fc.property(crons, (cron) => {
      const { minutes, hours, days, months, weekdays, isAnyDay, isAnyWeekday } = parseCron(cron)
      const theirs = croner(cron, isAnyDay || isAnyWeekday)
      fc.pre(theirs !== undefined)
      expect({ cron, runs: nextRuns(cron, 3, FROM) }).toEqual({ cron, runs: theirs })
      for (const run of theirs ?? []) {
        const isDay = days.includes(run.getDate())
        const isWeekday = weekdays.includes(run.getDay())
        expect({
          cron,
          minute: minutes.includes(run.getMinutes()),
          hour: hours.includes(run.getHours()),
          month: months.includes(run.getMonth() + 1),
          day: isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday,
        }).toEqual({ cron, minute: true, hour: true, month: true, day: true })
      }
    }),
  )
})

test('a field that names every day without a star makes the other one needless, as crontab(5) has it', () => {
  const [first, second] = nextRuns('0 0 1 * 0-6', 2, new Date(2026, 10, 23, 12))
  expect([first?.getDate(), second?.getDate()]).toEqual([24, 25])
  expect(nextRuns('0 0 1 * *', 1, new Date(2026, 10, 23, 12))[0]?.getDate()).toBe(1)
})

test('a systemd timer comes at the same times as the crontab line', () => {
  fc.assert(
    fc.property(crons, (cron) => {
      const elapses = calendarEvents(cron).flatMap((event) =>
        execFileSync(
          'systemd-analyze',
          [
            'calendar',
            '--iterations=6',
            `--base-time=${FROM.toISOString().slice(0, 19).replace('T', ' ')}`,
            event,
          ],
          { encoding: 'utf8', env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } },
        )
          .split('\n')
          .flatMap(
            (line) => /(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\S+ \S+) UTC/.exec(line)?.[1] ?? [],
          ),
      )
      const wanted = [...new Set(elapses)].sort().slice(0, 5)
      const runs = nextRuns(cron, 5, FROM).map((run) => run.toISOString().slice(0, 19).replace('T', ' '))
      expect({ cron, runs: runs.slice(0, wanted.length) }).toEqual({ cron, runs: wanted })
    }),
    { numRuns: 25 },
  )
})

test('names, nicknames and Sunday as 7', () => {
  expect(parseCron('30 4 * jan,FEB mon-fri')).toMatchObject({ months: [1, 2], weekdays: [1, 2, 3, 4, 5] })
  expect(parseCron('0 0 * * 7').weekdays).toEqual([0])
  expect(parseCron('@daily')).toEqual(parseCron('0 0 * * *'))
  expect(calendarEvents('@hourly')).toEqual(['*-*-* *:00:00'])
  expect(longestIntervalMs('0 0,6 * * *', FROM)).toBe(18 * 3_600_000)
})

test.for([
  '',
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '*/0 * * * *',
  '5-1 * * * *',
  '* * * * fun',
  '1,,2 * * * *',
  '0 0 31 2 *',
  '0 0 30-31 feb *',
  '0 0 31 4,6,9,11 *',
])('%j is refused', (cron) => {
  expect(() => parseCron(cron)).toThrow(RangeError)
})

test.for(['0 0 29 2 *', '0 0 31 2 mon', '0 0 31 2,3 *', '0 0 */31 2 *'])('%j comes', (cron) => {
  expect(nextRuns(cron, 1, FROM)).toHaveLength(1)
})

test.for(['constructor', '__proto__', 'toString', `${'#'.repeat(10_000)} * * * *`])(
  'a time that is none is refused in one short line (%#)',
  (text) => {
    expect(() => parseCron(text)).toThrow(RangeError)
    expect(() => parseCron(text)).toThrow(/^.{1,200}$/)
  },
)

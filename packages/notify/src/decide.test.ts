import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide, type Observation, type Reminders } from './decide.ts'
import type { Notice } from './notice.ts'

const HOUR_MS = 3_600_000
const START = Date.parse('2026-11-23T10:00:00Z')
const bad = (subject: string): Observation => ({
  subject,
  state: 'failure',
  message: 'is down',
  hint: 'Start it.',
})
const well = (subject: string): Observation => ({ subject, state: 'ok', message: 'is well' })

/** What is reported in each hour. */
function reported(hours: readonly (readonly Observation[])[]): Notice[][] {
  let reminders: Reminders = {}
  return hours.map((observations, hour) => {
    const decision = decide(reminders, observations, new Date(START + hour * HOUR_MS))
    reminders = JSON.parse(JSON.stringify(decision.reminders)) as Reminders
    return [...decision.notices]
  })
}
const levels = (hours: readonly Notice[][]) =>
  hours.map((notices) => notices.map(({ level }) => level).join())

test('what fails is reported once, a day later again, and its recovery once, with since when', () => {
  const hours = [
    ...Array.from({ length: 30 }, () => [bad('sink aws')]),
    [well('sink aws')],
    [well('sink aws')],
  ]
  const notices = reported(hours)
  expect(
    levels(notices)
      .map((level, hour) => `${hour} ${level}`)
      .filter((line) => !line.endsWith(' ')),
  ).toEqual(['0 failure', '24 failure', '30 recovery', '31 success'])
  expect(notices[24]?.[0]).toMatchObject({ since: '2026-11-23T10:00:00.000Z', hint: 'Start it.' })
  expect(notices[30]?.[0]).toMatchObject({ message: 'was: is down', since: '2026-11-23T10:00:00.000Z' })
})

test('a warning that becomes a failure is reported at once', () => {
  const warning: Observation = { subject: 'run', state: 'warning', message: 'a file changed' }
  expect(levels(reported([[warning], [warning], [bad('run')], [bad('run')]]))).toEqual([
    'warning',
    '',
    'failure',
    '',
  ])
})

const subjects = fc.constantFrom('run', 'sink a', 'sink b', 'source x')
const life = fc.array(
  fc.uniqueArray(fc.record({ subject: subjects, isBad: fc.boolean() }), {
    selector: ({ subject }) => subject,
    maxLength: 4,
  }),
  { maxLength: 80 },
)

test('whatever happens: nothing twice in a day, every recovery once, nothing bad untold', () => {
  fc.assert(
    fc.property(life, (hours) => {
      const notices = reported(
        hours.map((list) => list.map(({ subject, isBad }) => (isBad ? bad(subject) : well(subject)))),
      )
      const lastTold = new Map<string, number>()
      const isBad = new Set<string>()
      for (const [hour, list] of hours.entries()) {
        for (const observed of list) {
          const { subject } = observed
          const said = notices[hour]?.filter((notice) => notice.subject === subject) ?? []
          const failure = said.some(({ level }) => level === 'failure')
          const recovery = said.some(({ level }) => level === 'recovery')
          expect(recovery).toBe(!observed.isBad && isBad.has(subject))
          if (observed.isBad && !isBad.has(subject)) expect(failure).toBe(true)
          if (failure) {
            const before = lastTold.get(subject)
            if (isBad.has(subject) && before !== undefined) expect(hour - before).toBeGreaterThanOrEqual(24)
            lastTold.set(subject, hour)
          }
          if (observed.isBad) isBad.add(subject)
          else isBad.delete(subject)
        }
      }
    }),
  )
})

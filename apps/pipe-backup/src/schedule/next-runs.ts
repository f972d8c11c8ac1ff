import { Cron } from 'croner'
import { parseCron } from './cron-expression.ts'

/** The next moments that a crontab's time means, in this machine's time zone, after `from`. */
export function nextRuns(cron: string, count: number, from: Date): Date[] {
  const { minutes, hours, days, months, weekdays, isAnyDay, isAnyWeekday } = parseCron(cron)
  // Spelt out: `*` would say of a day's field that it does not count, and one that names every day without a `*` does.
  const fields = [minutes, hours, days, months, weekdays].map((values) => values.join(','))
  // As crontab(5) has it: both days must fit where one of the fields begins with `*`.
  return new Cron(fields.join(' '), { domAndDow: isAnyDay || isAnyWeekday }).nextRuns(count, from)
}

/** The longest time between two runs in the days to come, in milliseconds. */
export function longestIntervalMs(cron: string, from: Date): number {
  const runs = nextRuns(cron, 50, from)
  let longest = 0
  for (const [i, run] of runs.entries()) {
    const next = runs[i + 1]
    if (next) longest = Math.max(longest, next.getTime() - run.getTime())
  }
  return longest
}

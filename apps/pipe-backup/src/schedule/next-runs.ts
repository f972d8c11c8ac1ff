import { Cron } from 'croner'
import { parseCron } from './cron-expression.ts'

/** The next moments that a crontab's time means, in this machine's time zone, after `from`. */
export function nextRuns(cron: string, count: number, from: Date): Date[] {
  const { minutes, hours, days, months, weekdays, isAnyDay, isAnyWeekday } = parseCron(cron)
  const list = (values: readonly number[], all: number) => (values.length === all ? '*' : values.join(','))
  const fields = [list(minutes, 60), list(hours, 24), list(days, 31), list(months, 12), list(weekdays, 7)]
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

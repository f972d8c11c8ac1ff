import { parseCron } from './cron-expression.ts'

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/**
 * What a crontab's time is for `OnCalendar=` of a systemd timer: one line, or two where the day of the month or that of the week is enough.
 * @throws RangeError as `parseCron`
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html
 */
export function calendarEvents(cron: string): string[] {
  const { minutes, hours, days, months, weekdays, isAnyDay, isAnyWeekday } = parseCron(cron)
  const time = `${list(hours, 24)}:${list(minutes, 60)}:00`
  const month = list(months, 12)
  const byDay = `*-${month}-${list(days, 31)} ${time}`
  const names = weekdays.length === 7 ? '' : `${weekdays.map((day) => WEEKDAYS[day]).join(',')} `
  // A field that begins with `*` must fit as well; of two that do not, either one is enough.
  if (isAnyDay || isAnyWeekday) return [`${names}${byDay}`]
  return [byDay, `${names}*-${month}-* ${time}`]
}

function list(values: readonly number[], all: number): string {
  if (values.length === all) return '*'
  return values.map((value) => String(value).padStart(2, '0')).join(',')
}

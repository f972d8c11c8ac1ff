/** Which minutes, hours, days, months and weekdays a crontab's five fields mean. */
export interface CronFields {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: readonly number[]
  readonly months: readonly number[]
  /** 0 is Sunday. */
  readonly weekdays: readonly number[]
  /** Whether the field began with `*`: when neither of the two days does, either of them is enough. */
  readonly isAnyDay: boolean
  readonly isAnyWeekday: boolean
}

const NICKNAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '@hourly': '0 * * * *',
    '@daily': '0 0 * * *',
    '@midnight': '0 0 * * *',
    '@weekly': '0 0 * * 0',
    '@monthly': '0 0 1 * *',
    '@yearly': '0 0 1 1 *',
    '@annually': '0 0 1 1 *',
  }),
)
/** Of a field that is wrong. */
const SHOWN_CHARACTERS = 100
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MOST_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/**
 * Reads a crontab's time: five fields, or `@hourly`, `@daily` and so on.
 * @throws RangeError that says which field is wrong
 * @see https://man7.org/linux/man-pages/man5/crontab.5.html
 */
export function parseCron(text: string): CronFields {
  const fields = plainCron(text).trim().split(/\s+/)
  if (fields.length !== 5)
    throw new RangeError('must be five fields, as in a crontab: "0 * * * *" is at the start of every hour')
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields
  const found: CronFields = {
    minutes: values(minute, 'minute', 0, 59),
    hours: values(hour, 'hour', 0, 23),
    days: values(day, 'day of the month', 1, 31),
    months: values(month, 'month', 1, 12, MONTHS, 1),
    // 7 is Sunday too.
    weekdays: sorted(values(weekday, 'day of the week', 0, 7, WEEKDAYS).map((value) => value % 7)),
    isAnyDay: day.startsWith('*'),
    isAnyWeekday: weekday.startsWith('*'),
  }
  if (!comes(found)) throw new RangeError(`never comes: no month "${month}" has a day "${day}"`)
  return found
}

/** Whether a month has such a day; where neither of the two days began with `*`, the weekday is enough. */
function comes({ days, months, isAnyDay, isAnyWeekday }: CronFields): boolean {
  if (!isAnyDay && !isAnyWeekday) return true
  return months.some((month) => days.some((day) => day <= (MOST_DAYS[month - 1] ?? 31)))
}

/** The five fields that a nickname stands for; anything else as it is. */
export function plainCron(text: string): string {
  return NICKNAMES.get(text.trim().toLowerCase()) ?? text
}

function values(
  field: string,
  what: string,
  least: number,
  most: number,
  names: readonly string[] = [],
  firstName = 0,
): number[] {
  const bad = (part: string) =>
    new RangeError(
      `"${part.slice(0, SHOWN_CHARACTERS)}" is no ${what}: ${least} to ${most}, lists, ranges, and */steps`,
    )
  const number = (text: string, part: string): number => {
    const name = names.indexOf(text.toLowerCase())
    const value = name >= 0 ? name + firstName : /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) throw bad(part)
    return value
  }
  const found: number[] = []
  for (const part of field.split(',')) {
    const [range = '', step, ...more] = part.split('/')
    const by = step === undefined ? 1 : /^[1-9]\d*$/.test(step) ? Number(step) : Number.NaN
    if (more.length > 0 || Number.isNaN(by)) throw bad(part)
    const [from = '', to, ...rest] = range.split('-')
    if (rest.length > 0) throw bad(part)
    const first = from === '*' && to === undefined ? least : number(from, part)
    const isOpen = from === '*' || (to === undefined && step !== undefined)
    const last = isOpen ? most : to === undefined ? first : number(to, part)
    if (last < first) throw bad(part)
    for (let value = first; value <= last; value += by) found.push(value)
  }
  return sorted(found)
}

function sorted(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}

import { formatDay } from './format.ts'
import type { Cell, GridRow } from './parts/grid.tsx'

const WEEKS = 53
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'))
const RECENT_DAYS = 7

export interface Calendar {
  readonly heads: readonly string[]
  readonly rows: readonly GridRow[]
}

/** The day of a time, as the calendars name it. */
export function dayOf(time: string | Date): string {
  return formatDay(new Date(time))
}

/** The hour of a time, as the calendars name it: `2026-11-23 10`. */
export function hourOf(time: string | Date): string {
  const date = new Date(time)
  return `${formatDay(date)} ${HOURS[date.getHours()] ?? ''}`
}

/** The last year, a column a week and a row a day. @param cellOf - given `2026-11-23` */
export function yearCalendar(now: Date, cellOf: (day: string) => Cell): Calendar {
  const monday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - ((now.getDay() + 6) % 7))
  const dateAt = (week: number, day: number): Date =>
    new Date(monday.getFullYear(), monday.getMonth(), monday.getDate() + (week - WEEKS + 1) * 7 + day)
  const weeks = Array.from({ length: WEEKS }, (_, week) => week)
  return {
    heads: weeks.map((week) => {
      const begin = dateAt(week, 0)
      return begin.getDate() <= 7 ? begin.toLocaleString('en', { month: 'short' }) : ''
    }),
    rows: DAYS.map((head, day) => ({
      head,
      cells: weeks.map((week) => {
        const date = dateAt(week, day)
        return date > now ? undefined : cellOf(formatDay(date))
      }),
    })),
  }
}

/** The last days, a column an hour. @param cellOf - given `2026-11-23 10` */
export function weekCalendar(now: Date, cellOf: (hour: string) => Cell): Calendar {
  const days = Array.from(
    { length: RECENT_DAYS },
    (_, i) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - RECENT_DAYS + 1 + i),
  )
  return {
    heads: HOURS.map((hour, i) => (i % 6 === 0 ? hour : '')),
    rows: days.map((date) => ({
      head: `${DAYS[(date.getDay() + 6) % 7] ?? ''} ${formatDay(date).slice(5)}`,
      cells: HOURS.map((hour) => {
        const name = `${formatDay(date)} ${hour}`
        return name > hourOf(now) ? undefined : cellOf(name)
      }),
    })),
  }
}

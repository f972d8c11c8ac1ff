/** What a clock on the wall shows. */
export interface LocalTime {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
}

/**
 * Reads times in a time zone. An hour that a change of the clocks repeats is one hour: both show the same.
 * @throws RangeError for an unknown zone
 */
export function localTimeReader(timeZone: string | undefined): (time: Date) => LocalTime {
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    hourCycle: 'h23',
  })
  return (time) => {
    const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? Number.NaN
    return { year: part('year'), month: part('month'), day: part('day'), hour: part('hour') }
  }
}

const DAY_MS = 86_400_000

/** The ISO 8601 week of a day, as `2026-W53`: that of its Thursday. */
export function isoWeek({ year, month, day }: LocalTime): string {
  const date = new Date(Date.UTC(year, month - 1, day))
  const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * DAY_MS)
  const weekYear = thursday.getUTCFullYear()
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(weekYear, 0, 1)) / (7 * DAY_MS))
  return `${weekYear}-W${week}`
}

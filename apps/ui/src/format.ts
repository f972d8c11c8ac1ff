const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `1.4 MiB`, as the commands have it. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // What would be rounded up to 1024 of a unit is 1.0 of the next.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? 'B'}`
}

export function formatCount(count: number): string {
  return count.toLocaleString('en')
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** `2026-11-23 10:00` in the time of this machine: in columns it lines up, and sorts as it reads. */
export function formatTime(time: string | Date, seconds = false): string {
  const date = new Date(time)
  const two = (number: number): string => String(number).padStart(2, '0')
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ''}`
  return `${formatDay(date)} ${clock}`
}

/** `2026-11-23` */
export function formatDay(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** `25 minutes ago`, `in 3 hours` */
export function formatAgo(time: string | Date, now = Date.now()): string {
  const distance = now - new Date(time).getTime()
  const span = formatSpan(Math.abs(distance))
  if (Math.abs(distance) < SECOND * 5) return 'just now'
  return distance < 0 ? `in ${span}` : `${span} ago`
}

/** `3 hours`: in the largest unit of which there are two or more. */
export function formatSpan(ms: number): string {
  if (ms < 2 * MINUTE) return plural(Math.round(ms / SECOND), 'second')
  if (ms < 2 * HOUR) return plural(Math.round(ms / MINUTE), 'minute')
  if (ms < 2 * DAY) return plural(Math.round(ms / HOUR), 'hour')
  return plural(Math.round(ms / DAY), 'day')
}

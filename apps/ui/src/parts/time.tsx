import { formatAgo, formatTime } from '../format.ts'

/** A time, and how long ago that is. */
export function Time({ at, isShort = false }: { readonly at: string; readonly isShort?: boolean }) {
  return (
    <time dateTime={at} title={formatTime(at, true)}>
      {isShort ? null : <span class="clock">{formatTime(at)}</span>} <span class="ago">{formatAgo(at)}</span>
    </time>
  )
}

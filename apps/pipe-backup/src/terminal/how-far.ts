import { formatSeconds } from './quantities.ts'

/** Before, a rate says more of how a command starts than of how it goes on. */
const SETTLED_MS = 3000

/**
 * How far something is: `41%`, and how long it will take from here at the rate of late: `17 s left`.
 * @param done - of `total`, in any unit; `total` is an estimate where it is what there was last time
 * @param rate - units a second
 * @param elapsedMs - since the command began: what is left is not shown in the first 3 s
 * @returns words for a line; none where the total is not known
 */
export function howFar(
  done: number,
  total: number | undefined,
  rate: number,
  elapsedMs: number,
): readonly string[] {
  if (total === undefined || total <= 0) return []
  // What has grown since last time is not done before it is done.
  const percent = Math.min(99, Math.floor((100 * done) / total))
  return [`${percent}%`, ...timeLeft(total - done, rate, elapsedMs)]
}

/** `17 s left`: as `howFar`, of what is left in any unit. */
export function timeLeft(left: number, rate: number, elapsedMs: number): readonly string[] {
  return rate > 0 && left > 0 && elapsedMs >= SETTLED_MS ? [`${formatSeconds(left / rate)} left`] : []
}

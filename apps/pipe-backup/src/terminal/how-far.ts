import { formatSeconds } from './quantities.ts'

/**
 * How far something is: `41%`, and how long it will take from here at the rate of late: `17 s left`.
 * @param done - of `total`, in any unit; `total` is an estimate where it is what there was last time
 * @param rate - units a second
 * @returns words for a line; none where the total is not known
 */
export function howFar(done: number, total: number | undefined, rate: number): readonly string[] {
  if (total === undefined || total <= 0) return []
  // What has grown since last time is not done before it is done.
  const percent = Math.min(99, Math.floor((100 * done) / total))
  const left = total - done
  return [`${percent}%`, ...(rate > 0 && left > 0 ? [`${formatSeconds(left / rate)} left`] : [])]
}

/**
 * How many snapshots to keep, of the kinds that there are. A snapshot that any rule keeps is kept. `hourly: 24` keeps the newest snapshot
 * of each of the last 24 hours that have one; hours without a snapshot do not count.
 */
export interface Policy {
  /** The newest ones. */
  readonly last?: number | undefined
  readonly hourly?: number | undefined
  readonly daily?: number | undefined
  /** ISO 8601 weeks, which begin on Monday. */
  readonly weekly?: number | undefined
  readonly monthly?: number | undefined
  readonly yearly?: number | undefined
  /** All that are no older than this before the newest one, in milliseconds. */
  readonly within?: number | undefined
}

export interface RetentionOptions {
  /** IANA name of the time zone whose hours and days count. Default: this machine's. */
  readonly timeZone?: string | undefined
  /**
   * For so many days the last snapshot of each day is kept whatever the policy says, by the clock of the sinks: a host that was taken over can't
   * crowd them out. Default 0.
   */
  readonly floorDays?: number | undefined
}

/** A policy that can't be. The message is one line. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly code = 'bad-policy'
}

/** @throws PolicyError for a policy that keeps nothing, or has a number that is no count */
export function checkPolicy(policy: Policy): void {
  const rules = Object.entries(policy).filter(([, value]) => value !== undefined)
  for (const [name, value] of rules) {
    const isCount =
      name === 'within' ? Number.isFinite(value) && value >= 0 : Number.isSafeInteger(value) && value >= 0
    if (!isCount) throw new PolicyError(`${name}: ${String(value)} is no number of snapshots to keep`)
  }
  if (!rules.some(([, value]) => value > 0)) throw new PolicyError('the policy keeps nothing at all')
}

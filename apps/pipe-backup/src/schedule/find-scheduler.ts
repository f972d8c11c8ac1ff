import type { LoadedConfig } from '../config/load-config.ts'
import type { Machine } from '../machine.ts'
import { isLocked } from '../run/run-lock.ts'
import { findCrontabLine } from './crontab.ts'
import { readUnits } from './systemd.ts'

/** What runs backups of a vault on this host: a timer, a line of this user's crontab, or a daemon that is there now. */
export type FoundScheduler = 'systemd' | 'cron' | 'daemon'

/** @returns undefined when nothing was found, as where another user's crontab does it */
export async function findScheduler(
  { vault, state }: LoadedConfig,
  machine: Machine,
): Promise<FoundScheduler | undefined> {
  if (await isLocked(state, 'daemon')) return 'daemon'
  if (await readUnits(machine, vault)) return 'systemd'
  // Without cron there is no crontab to read.
  const line = await findCrontabLine(vault).catch(() => undefined)
  return line === undefined ? undefined : 'cron'
}

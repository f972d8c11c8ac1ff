import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { takeRunLock } from '../run/run-lock.ts'
import { nextRuns } from '../schedule/next-runs.ts'
import { ScheduleLog } from '../schedule/schedule-log.ts'
import { thisCommand } from '../schedule/this-command.ts'
import type { Session } from '../session.ts'
import { formatTime } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig } from '../vault/open-config.ts'

/** However long it is to the next run, the clock is looked at so often: it may be set, or the machine sleep. */
const LOOK_MS = 30_000
const STOP_MS = 9500

/** `daemon`: keeps time itself. What was missed while it was down is made up for at once. @returns the exit code */
export async function daemon(session: Session): Promise<number> {
  const { output, signal } = session
  const config = await openConfig(session)
  const { schedule } = config
  if (schedule === undefined)
    throw new UsageError(`${config.file} has no schedule`, 'Add: schedule: "0 * * * *" for every hour.')
  using _lock = await takeRunLock(config.state, { name: 'daemon' })
  const started = new Date()
  while (!signal.aborted) {
    const last = (await ScheduleLog.open(config.state)).begun('run')
    // A log from the future, as after a clock was set back, must not hold everything up.
    const from = last !== undefined && last <= new Date() ? last : started
    const [next] = nextRuns(schedule, 1, from)
    if (!next) throw new UsageError(`the schedule "${schedule}" never comes`)
    if (next > new Date()) output.note(`next run at ${formatTime(next)}`)
    if (!(await waitUntil(next, signal))) break
    const [program, ...args] = thisCommand(
      config,
      'scheduled',
      ...(session.options.verbose ? ['--verbose'] : []),
    )
    await execa(program, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      reject: false,
      cancelSignal: signal,
      killSignal: 'SIGTERM',
      forceKillAfterDelay: STOP_MS,
    })
    // Should the log not have been written: not again at once.
    await sleep(1000, undefined, { signal }).catch(() => undefined)
  }
  return 0
}

/** @returns false when it was told to stop */
async function waitUntil(time: Date, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const leftMs = time.getTime() - Date.now()
    if (leftMs <= 0) return !signal.aborted
    try {
      await sleep(Math.min(leftMs, LOOK_MS), undefined, { signal })
    } catch {
      return false
    }
  }
}

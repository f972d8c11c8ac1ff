import { execa } from 'execa'
import type { CliContext } from '../cli-context.ts'
import { serveMetrics } from '../metrics/serve-metrics.ts'
import { takeRunLock } from '../run/run-lock.ts'
import { nextRuns } from '../schedule/next-runs.ts'
import { ScheduleLog } from '../schedule/schedule-log.ts'
import { outputFlags, thisCommand } from '../schedule/this-command.ts'
import { waitUntil } from '../schedule/wait-until.ts'
import type { Output } from '../terminal/output.ts'
import { formatTime } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig } from '../vault/open-config.ts'

const STOP_MS = 9500

/** `daemon`: keeps time itself. What was missed while it was down is made up for at once. @returns the exit code */
export async function daemon(cli: CliContext): Promise<number> {
  const { output, signal } = cli
  const config = await openConfig(cli)
  const { schedule } = config
  if (schedule === undefined)
    throw new UsageError(`${config.file} has no schedule`, 'Add: schedule: "0 * * * *" for every hour.')
  using _lock = await takeRunLock(config.state, { name: 'daemon' })
  await using _metrics = await serveMetrics(config, cli)
  let started = new Date()
  let begun: Date | undefined
  while (!signal.aborted) {
    const last = (await ScheduleLog.open(config.state)).begun('run')
    const now = new Date()
    // What is in the future, as after a clock was set back, must not hold everything up.
    if (started > now) started = now
    // On a full disk the log stays as it was: this process knows what it has begun.
    const known = [last, begun].filter((time) => time !== undefined && time <= now)
    const from = known.reduce((a, b) => (a !== undefined && b !== undefined && a > b ? a : b), undefined)
    const [next] = nextRuns(schedule, 1, from ?? started)
    if (!next) throw new UsageError(`the schedule "${schedule}" never comes`)
    if (next > now) sayNext(next, output)
    const end = await waitUntil(next, signal)
    if (end === 'stopped') break
    if (end === 'set back') continue
    begun = new Date()
    const [program, ...args] = thisCommand(config, 'scheduled', ...outputFlags(cli.options))
    await execa(program, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      reject: false,
      cancelSignal: signal,
      killSignal: 'SIGTERM',
      forceKillAfterDelay: STOP_MS,
    })
  }
  return 0
}

/** A log has it always: a daemon that waits shows in it that it is there. */
function sayNext(next: Date, output: Output): void {
  const line = `next run at ${formatTime(next)}`
  if (!output.logsJson) return output.note(line)
  output.log('info', line, { event: 'next-run', next: next.toISOString() })
}

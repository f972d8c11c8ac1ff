import { toError } from '@pipe-backup/sink'
import { roleOf } from '@pipe-backup/vault'
import { execa } from 'execa'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { toMilliseconds } from '../config/values.ts'
import { findHost } from '../host/load-host.ts'
import { withMetrics } from '../metrics/command-metrics.ts'
import { Notifier } from '../notify/notifier.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { type ScheduledTask, ScheduleLog } from '../schedule/schedule-log.ts'
import { outputFlags, thisCommand } from '../schedule/this-command.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openConfig } from '../vault/open-config.ts'

const HOUR_MS = 3_600_000
const PRUNE_EVERY_MS = 23 * HOUR_MS
const VERIFY_WITHIN = '7d'
/** A command that was reported to stop gets so long. */
const STOP_MS = 9000

/**
 * `scheduled`: what a timer does. Backs up; then, when they are due, prunes, and proves a sample, so that every byte is proven once in
 * `verify.within`; and heals when something was found. Each is a process of its own: its memory and the secrets that it has read end with it. @returns the exit code
 */
export async function scheduled(cli: CliContext): Promise<number> {
  const config = await openConfig(cli)
  await refuseSharedLocations(config)
  return await withMetrics(config, cli, 'scheduled', async () => followSchedule(config, cli))
}

async function followSchedule(config: LoadedConfig, cli: CliContext): Promise<number> {
  const log = await ScheduleLog.open(config.state)
  const now = new Date()
  const begin = async (task: ScheduledTask): Promise<void> => {
    try {
      await log.begin(task, now)
    } catch (error) {
      // As on a full disk: the run goes on, and where it can't it says so to whoever is to be notified.
      cli.output.warn(
        `when the schedule was followed could not be written down: ${errorLine(toError(error))}`,
      )
    }
  }
  await begin('run')
  let exitCode = await runCommand(config, cli, 'run')
  if (cli.signal.aborted) return exitCode
  // A run that never got to its end, as behind another that hangs, has notified nobody: what has grown old is reported all the same.
  if (exitCode !== 0) await new Notifier(config, cli).notify([])
  // What was committed is committed, whatever comes after: something to look at.
  const look = (code: number): void => {
    if (exitCode === 0 && code !== 0) exitCode = 3
  }
  if (config.keep && (await mayPrune(config)) && isDue(log.begun('prune'), PRUNE_EVERY_MS, now)) {
    await begin('prune')
    look(await runCommand(config, cli, 'prune', ...(config.compact === false ? [] : ['--compact'])))
  }
  const percent = samplePercent(config, log.begun('verify'), now)
  if (percent > 0 && !cli.signal.aborted) {
    await begin('verify')
    const found = await runCommand(config, cli, 'verify', '--sample', `${percent}%`)
    look(found)
    if (found !== 0 && !cli.signal.aborted) look(await runCommand(config, cli, 'heal'))
  }
  return exitCode
}

function isDue(last: Date | undefined, everyMs: number, now: Date): boolean {
  return last === undefined || Math.abs(now.getTime() - last.getTime()) >= everyMs
}

/** The part of all packs that is due since the last sample. */
function samplePercent({ verify }: LoadedConfig, last: Date | undefined, now: Date): number {
  if (verify === false) return 0
  const withinMs = toMilliseconds(verify?.within ?? VERIFY_WITHIN)
  // One from the future is of a clock that was set back since.
  const sinceMs = last === undefined || last > now ? HOUR_MS : now.getTime() - last.getTime()
  return Math.min(100, Math.ceil((sinceMs / withinMs) * 10_000) / 100)
}

/** Runs a command of this program; SIGTERM reaches it when this one is to stop. */
async function runCommand(
  config: LoadedConfig,
  cli: CliContext,
  ...words: readonly string[]
): Promise<number> {
  const { options, signal } = cli
  const [program, ...args] = thisCommand(config, ...words, ...outputFlags(options))
  const ran = await execa(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
    cancelSignal: signal,
    killSignal: 'SIGTERM',
    forceKillAfterDelay: STOP_MS,
  })
  return ran.exitCode ?? 1
}

/** A host that may write alone leaves it to one that maintains the vault; what is wrong with a key is reported by the command itself. */
async function mayPrune({ hostKey }: LoadedConfig): Promise<boolean> {
  const host = await findHost(hostKey).catch(() => undefined)
  return host === undefined || roleOf(host) === 'maintain'
}

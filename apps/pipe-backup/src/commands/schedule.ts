import { userInfo } from 'node:os'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Machine } from '../machine.ts'
import { crontabLine, findCrontabLine, installCrontabLine, removeCrontabLine } from '../schedule/crontab.ts'
import { nextRuns } from '../schedule/next-runs.ts'
import {
  endsWithLogin,
  installUnits,
  isSystemdBooted,
  readUnits,
  removeUnits,
  unitDirectory,
  unitName,
  unitTexts,
} from '../schedule/systemd.ts'
import { thisCommand } from '../schedule/this-command.ts'
import { timerEnvironment, variablesNotInTimer } from '../schedule/timer-environment.ts'
import { formatTime } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig } from '../vault/open-config.ts'

export type Scheduler = 'systemd' | 'cron'

export interface ScheduleOptions {
  readonly systemd?: boolean | undefined
  readonly cron?: boolean | undefined
}

const SHOWN_RUNS = 5

/** `schedule install`: a systemd timer where systemd runs the machine, else a crontab line. @returns the exit code */
export async function scheduleInstall(cli: CliContext, options: ScheduleOptions): Promise<number> {
  const { machine, output } = cli
  const config = await openConfig(cli)
  const cron = scheduleOf(config)
  const scheduler = chooseScheduler(options)
  if (scheduler === 'systemd') {
    await installUnits(machine, config.vault, unitsOf(config, cron, cli))
    output.print(`installed ${unitDirectory(machine)}/${unitName(config.vault)}.timer`)
    if (endsWithLogin(machine, machine.env['USER'] || userInfo().username))
      output.warn(
        'the timer runs only while this user is logged in. For good: loginctl enable-linger; or install it as root',
      )
  } else {
    const line = lineOf(config, cron, cli)
    await installCrontabLine(config.vault, line)
    output.print(`installed in the crontab: ${line}`)
  }
  await removeOther(scheduler, config, cli)
  const missing = variablesNotInTimer(config, machine)
  if (missing.length > 0) {
    output.warn(
      `${missing.join(', ')}: not in a timer's environment. Put them into files, or for systemd into ${config.vault}.env beside the configuration`,
    )
  }
  printNext(cron, cli, { scheduler, installed: true })
  return 0
}

/** `schedule show`: what is installed, or would be, and when it runs next. @returns the exit code */
export async function scheduleShow(cli: CliContext, options: ScheduleOptions): Promise<number> {
  const { machine, output } = cli
  const config = await openConfig(cli)
  const cron = scheduleOf(config)
  const scheduler = chooseScheduler(options)
  const found =
    scheduler === 'systemd' ? await readUnits(machine, config.vault) : await findCrontabLine(config.vault)
  // Whoever has installed it so wanted it so.
  const logJson = cli.options.logJson || JSON.stringify(found ?? '').includes(' --log-json')
  const as = { ...cli, options: { ...cli.options, logJson } }
  const wanted = scheduler === 'systemd' ? unitsOf(config, cron, as) : lineOf(config, cron, as)
  const shown = found ?? wanted
  output.print(typeof shown === 'string' ? shown : `${shown.service}\n${shown.timer}`)
  const isCurrent = JSON.stringify(found) === JSON.stringify(wanted)
  if (found === undefined) output.print('Not installed yet: pipe-backup schedule install')
  else if (!isCurrent)
    output.warn('installed otherwise than the configuration says: pipe-backup schedule install')
  printNext(cron, cli, { scheduler, installed: found !== undefined, current: isCurrent })
  return 0
}

/** `schedule remove`: wherever it is installed, or from where the options say. @returns the exit code */
export async function scheduleRemove(cli: CliContext, options: ScheduleOptions): Promise<number> {
  const { machine, output } = cli
  const config = await openConfig(cli)
  const schedulers =
    options.systemd || options.cron ? [chooseScheduler(options)] : (['cron', 'systemd'] as const)
  let isRemoved = false
  for (const scheduler of schedulers) isRemoved = (await removeFrom(scheduler, machine, config)) || isRemoved
  output.print(isRemoved ? 'removed' : 'there was nothing to remove')
  output.printJson({ removed: isRemoved })
  return 0
}

/** What one scheduler has taken over another must not do as well. */
async function removeOther(scheduler: Scheduler, config: LoadedConfig, cli: CliContext): Promise<void> {
  const { machine, output } = cli
  const [other, name] =
    scheduler === 'cron' ? (['systemd', 'systemd'] as const) : (['cron', 'the crontab'] as const)
  try {
    if (await removeFrom(other, machine, config)) output.print(`removed from ${name}: it would run twice`)
  } catch (error) {
    output.warn(`may run twice, by ${name} too: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** @returns whether it was there */
async function removeFrom(scheduler: Scheduler, machine: Machine, { vault }: LoadedConfig): Promise<boolean> {
  if (scheduler === 'systemd') return await removeUnits(machine, vault)
  // Who has no cron has nothing in it.
  if ((await findCrontabLine(vault).catch(() => undefined)) === undefined) return false
  return await removeCrontabLine(vault)
}

function chooseScheduler({ systemd = false, cron = false }: ScheduleOptions): Scheduler {
  if (systemd && cron) throw new UsageError('--systemd or --cron: one of them')
  if (systemd) return 'systemd'
  return cron || !isSystemdBooted() ? 'cron' : 'systemd'
}

function scheduleOf({ schedule, file }: LoadedConfig): string {
  if (schedule !== undefined) return schedule
  throw new UsageError(`${file} has no schedule`, 'Add: schedule: "0 * * * *" for every hour.')
}

function unitsOf(
  config: LoadedConfig,
  cron: string,
  { machine, options }: CliContext,
): ReturnType<typeof unitTexts> {
  const command = thisCommand(config, 'scheduled', ...(options.logJson ? ['--log-json'] : []))
  return unitTexts(machine, config, cron, command, timerEnvironment(machine))
}

function lineOf(config: LoadedConfig, cron: string, { machine, options }: CliContext): string {
  const command = thisCommand(config, 'scheduled', '--quiet', ...(options.logJson ? ['--log-json'] : []))
  return crontabLine(config.vault, cron, command, timerEnvironment(machine))
}

function printNext(cron: string, { output }: CliContext, more: object): void {
  const next = nextRuns(cron, SHOWN_RUNS, new Date())
  output.print(`next: ${next.map(formatTime).join(', ')}`)
  output.printJson({ ...more, schedule: cron, next: next.map((time) => time.toISOString()) })
}

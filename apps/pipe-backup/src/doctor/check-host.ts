import { readFile, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { type LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { writeSecureFile } from '../host/secure-file.ts'
import { type FoundScheduler, findScheduler } from '../schedule/find-scheduler.ts'
import { nextRuns } from '../schedule/next-runs.ts'
import { secretVariables } from '../secrets/read-secret.ts'
import { formatBytes, formatTime, plural } from '../terminal/quantities.ts'
import { readLastDrill } from '../vault/drill-log.ts'
import { checkProgram } from './check-paths.ts'
import { type Examined, type Finding, failureOf } from './finding.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Half a year without a drill: what was proven then may no longer be so. */
const DRILL_DAYS = 180
/** What a run keeps there, with room to spare. */
const STATE_BYTES = 256 * 1024 ** 2

export async function checkHostKey(
  config: LoadedConfig,
): Promise<{ finding: Examined; vaultId: string | undefined }> {
  const subject = 'host key'
  try {
    const host = await findHost(config.hostKey)
    if (host)
      return {
        finding: { subject, state: 'ok', message: `${config.hostKey} is for its owner alone` },
        vaultId: host.vaultId,
      }
    const hint =
      'Run "pipe-backup init" to make a vault, or "pipe-backup init --phrase-file FILE" to join one.'
    return {
      finding: { subject, state: 'failure', message: `there is no ${config.hostKey}`, hint },
      vaultId: undefined,
    }
  } catch (error) {
    return { finding: { subject, ...failureOf(error) }, vaultId: undefined }
  }
}

/** The state directory can be written to, and has room. */
export async function checkState({ state }: LoadedConfig): Promise<Examined> {
  const subject = 'state'
  const probe = `${state}/doctor.${process.pid}`
  try {
    await writeSecureFile(probe, 'probe\n')
    await rm(probe)
    const { bavail, bsize } = await statfs(state)
    const free = bavail * bsize
    if (free >= STATE_BYTES)
      return { subject, state: 'ok', message: `${state} can be written to, ${formatBytes(free)} free` }
    return { subject, state: 'warning', message: `${state}: only ${formatBytes(free)} free` }
  } catch (error) {
    return { subject, ...failureOf(error), hint: 'Name another directory as `state`.' }
  }
}

/** Whether backups are made without anybody thinking of it, thinned out, reported, and have been proven. */
export async function checkPlan(config: LoadedConfig, cli: CliContext): Promise<Examined[]> {
  return [
    ...(await checkSchedule(config, cli)).map((finding) => ({ subject: 'schedule', ...finding })),
    config.keep
      ? { subject: 'keep', state: 'ok', message: 'old snapshots are thinned out' }
      : {
          subject: 'keep',
          state: 'warning',
          message: 'not configured: snapshots are kept for ever, and the sinks fill up',
          hint: 'Add: keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 }',
        },
    { subject: 'drill', ...(await checkDrill(config)) },
  ]
}

async function checkSchedule(config: LoadedConfig, { machine }: CliContext): Promise<Finding[]> {
  if (config.schedule === undefined)
    return [
      {
        state: 'warning',
        message: 'not configured: nothing backs up by itself',
        hint: 'Add: schedule: "0 * * * *", then: pipe-backup schedule install',
      },
    ]
  const scheduler = await findScheduler(config, machine)
  const [next] = nextRuns(config.schedule, 1, new Date())
  if (!scheduler)
    return [
      {
        state: 'warning',
        message: 'no timer, crontab line or daemon of this user runs it',
        hint: 'pipe-backup schedule install',
      },
    ]
  const runs: Finding = {
    state: 'ok',
    message: `${scheduler}, next run ${next ? formatTime(next) : 'never'}`,
  }
  return [runs, ...(await checkVariables(config, scheduler))]
}

/** A timer has not the environment of the shell that `doctor` was called from. */
async function checkVariables(config: LoadedConfig, scheduler: FoundScheduler): Promise<Finding[]> {
  const names = new Set(secretVariables([config.sources, config.sinks, config.notify]))
  if (names.size === 0 || scheduler === 'daemon') return []
  const file = join(dirname(config.file), `${config.vault}.env`)
  const given = scheduler === 'systemd' ? await readFile(file, 'utf8').catch(() => '') : ''
  const missing = [...names].filter((name) => !new RegExp(`^${name}=`, 'm').test(given))
  if (missing.length === 0) return []
  const hint =
    scheduler === 'systemd'
      ? `Put them into ${file}, chmod 600, as NAME=value lines; or into files of their own.`
      : 'Put them into files: { file: PATH }.'
  return [{ state: 'warning', message: `${missing.join(', ')}: not in the environment of a timer`, hint }]
}

async function checkDrill(config: LoadedConfig): Promise<Finding> {
  const drill = await readLastDrill(config.state)
  const hint = 'pipe-backup verify --drill'
  if (!drill) return { state: 'warning', message: 'no snapshot has been restored as a drill yet', hint }
  const days = Math.floor((Date.now() - drill.time.getTime()) / DAY_MS)
  const when = `snapshot ${drill.snapshot} was restored as a drill on ${formatTime(drill.time)}`
  return days > DRILL_DAYS
    ? { state: 'warning', message: `${when}, ${plural(days, 'day')} ago`, hint }
    : { state: 'ok', message: when }
}

/** The programs of hooks. */
export async function checkHooks(config: LoadedConfig): Promise<Examined[]> {
  const hooks = [{ name: 'run', before: config.before, after: config.after }, ...config.sources]
  const checks = hooks.flatMap(({ name, before, after }) =>
    Object.entries({ before, after }).map(async ([when, command]): Promise<Examined[]> => {
      const [program] = command ?? []
      if (program === undefined) return []
      return [{ subject: `${when} of ${name}`, ...(await checkProgram(program)) }]
    }),
  )
  return (await Promise.all(checks)).flat()
}

import { type HostKeys, type ObjectKeys, vaultIdOf } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { type VaultStatus, vaultStatus } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { readNotifyLog } from '../notify/notify-log.ts'
import { findStale } from '../notify/observations.ts'
import { stillConfigured } from '../notify/watch.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { findScheduler } from '../schedule/find-scheduler.ts'
import { ScheduleLog } from '../schedule/schedule-log.ts'
import { errorLine } from '../terminal/error-line.ts'
import { readLastDrill } from '../vault/drill-log.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { exitCodeOf, lastGoodOf, sourcesOf } from './assess.ts'
import { historyOf, readSinkHistory, recordSinkHistory, sampleOf } from './sink-history.ts'
import type { StatusReport, Worry } from './status-report.ts'

/**
 * Reads how the vault, its sources and each of its sinks stand.
 * @param otherKeys - gives the keys that open listings where this host has none of its own
 * @throws as `openConfig`, `openSinks`, and what `otherKeys` throws
 */
export async function readStatus(
  cli: CliContext,
  otherKeys: (sinks: readonly Sink[]) => Promise<HostKeys>,
): Promise<StatusReport> {
  const { output, signal } = cli
  const config = await openConfig(cli)
  await using opened = await openSinks(config, {
    secrets: openSecrets(config, cli),
    signal,
    names: cli.options.from,
  })
  const { sinks } = opened
  // The host's key does, and then no sink need answer for the others to be shown.
  const host = await findHost(config.hostKey)
  const keys = host?.keys ?? (await otherKeys(sinks))
  return await statusOf(config, cli, sinks, {
    keys,
    vaultId: vaultIdOf(keys.publicKey),
    hostId: host?.hostId,
    onProblem: (error) => output.warn(errorLine(error)),
  })
}

/** The same, of sinks that are open already. */
export async function statusOf(
  config: LoadedConfig,
  { machine, output, signal }: CliContext,
  sinks: readonly Sink[],
  vault: {
    readonly keys: ObjectKeys
    readonly vaultId: string
    /** Without a host key there is none. */
    readonly hostId: string | undefined
    readonly onProblem: (error: Error) => void
  },
): Promise<StatusReport> {
  const { keys, vaultId, hostId, onProblem } = vault
  const now = new Date()
  const found = await vaultStatus({ vaultId, keys, sinks, stateDirectory: config.state, signal, onProblem })
  const worries = await worriesOf(config, found, now)
  const recorded = await readSinkHistory(config.state)
  const sample = sampleOf(found.sinks, found.snapshots.at(-1)?.time, now)
  // A machine that is none of the vault's hosts is left as it is; and a plot that lacks a point is no reason to fail.
  if (hostId !== undefined)
    await recordSinkHistory(config.state, recorded, sample).catch((error: unknown) =>
      output.note(`how the sinks stand was not recorded: ${errorLine(toError(error))}`),
    )
  const log = await ScheduleLog.open(config.state)
  const begun = {
    run: log.begun('run'),
    prune: log.begun('prune'),
    verify: log.begun('verify'),
  }
  return {
    config,
    vaultId,
    now,
    vault: found,
    history: historyOf(found.sinks, [...recorded, sample]),
    lastGood: lastGoodOf(found, config, hostId),
    sources: sourcesOf(found, config, hostId),
    scheduler: await findScheduler(config, machine),
    nextRun: await nextRunOf(config, now),
    begun,
    drill: await readLastDrill(config.state),
    worries,
    exitCode: exitCodeOf(found, config, hostId, worries.length > 0),
  }
}

async function nextRunOf({ schedule }: LoadedConfig, now: Date): Promise<Date | undefined> {
  if (schedule === undefined) return undefined
  const { nextRuns } = await import('../schedule/next-runs.ts')
  return nextRuns(schedule, 1, now)[0]
}

/** What earlier commands have found and what has grown old, and is not to be seen on the sinks themselves. */
async function worriesOf(config: LoadedConfig, { sinks }: VaultStatus, now: Date): Promise<Worry[]> {
  const log = await readNotifyLog(config.state)
  const known = Object.entries(stillConfigured(log.reminders, config))
    .filter(([subject]) => !subject.startsWith('age of '))
    // A sink that is down now says so itself, and one that has caught up is shown so, whatever was reported before.
    .filter(([subject]) => !sinks.some(({ name }) => [`sink ${name}`, `heal ${name}`].includes(subject)))
    .map(([subject, { message, since }]): Worry => ({ subject, message, since }))
  return [...known, ...(await findStale(config, log, now))]
}

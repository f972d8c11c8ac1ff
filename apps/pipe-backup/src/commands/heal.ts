import { type HealReport, heal as healVault } from '@pipe-backup/vault'
import { healArchivesOf } from '../archives/heal-archives.ts'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { loadHost } from '../host/load-host.ts'
import { type CommandMetrics, withMetrics } from '../metrics/command-metrics.ts'
import { Notifier } from '../notify/notifier.ts'
import { ofHeal, ofHealed } from '../notify/observations.ts'
import { findByName, openSinks } from '../providers/open-sinks.ts'
import { takeRunLock } from '../run/run-lock.ts'
import { sinkFailure, sinkProblem } from '../terminal/error-line.ts'
import { formatBytes, plural } from '../terminal/quantities.ts'
import { showGauge } from '../terminal/show-gauge.ts'
import { readKnownSinks, rememberSinks } from '../vault/known-sinks.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

export interface HealCommandOptions {
  readonly sink: readonly string[]
}

/** `heal`: copies to every sink what it lacks, and repairs what `verify` has found. @returns the exit code */
export async function heal(cli: CliContext, options: HealCommandOptions): Promise<number> {
  const config = await openConfig(cli)
  return await withMetrics(config, cli, 'heal', async (metrics) => healOnce(config, metrics, cli, options))
}

async function healOnce(
  config: LoadedConfig,
  metrics: CommandMetrics,
  cli: CliContext,
  { sink: names }: HealCommandOptions,
): Promise<number> {
  const { output, signal } = cli
  for (const name of names) findByName('sink', config.sinks, name)
  const host = await loadHost(config.hostKey)
  const known = await readKnownSinks(config.state)
  // Who names a sink means it. Otherwise one that has been here before should hold something.
  const isNew = (name: string): boolean => names.includes(name) || (known !== undefined && !known.has(name))
  using _lock = await takeRunLock(config.state)
  const secrets = openSecrets(config, cli)
  await using opened = await openSinks(config, { secrets, signal, create: isNew })
  const notifier = new Notifier(config, cli)
  const gauge = { objects: 0, bytes: 0 }
  // What is still to come is known as each sink is looked at.
  using _display = showGauge(gauge, cli, () => [`healing  ${plural(gauge.objects, 'object')}`])
  const report = await notifier.watch('heal', () =>
    healVault({
      host,
      hostName: config.host,
      sinks: opened.sinks,
      targets: names.length > 0 ? names : undefined,
      isNew,
      stateDirectory: config.state,
      signal,
      onProblem: (sink, error) => output.warn(...sinkProblem(sink, error)),
      onHealed: (sink, key, sizeBytes) => {
        gauge.objects++
        gauge.bytes += sizeBytes
        output.note(`sink "${sink}": ${key}, ${formatBytes(sizeBytes)}`)
      },
    }),
  )
  const level = report.sinks.filter(({ state }) => state !== 'failed').map(({ name }) => name)
  await rememberSinks(config.state, level, output)
  const { sinks } = opened
  const archives = await healArchivesOf(config, { sinks, targets: names, keys: host.keys }, cli)
  print(report, archives, cli)
  await notifier.notify([...ofHeal(report), ...ofHealed(report)])
  await metrics.look({ ...host, sinks })
  return Math.max(report.exitCode, archives.exitCode)
}

function print(
  { sinks, lost, exitCode }: HealReport,
  archives: Awaited<ReturnType<typeof healArchivesOf>>,
  { output }: CliContext,
): void {
  for (const { key, snapshots } of lost)
    output.error(
      `${key} is intact on no sink: ${plural(snapshots.length, 'snapshot')} can't be restored in full. Bring back any sink that is away. What its host still has is stored again by that host's next run: heal once more after it.`,
      { event: 'damage', key },
    )
  for (const sink of sinks) if (sink.state === 'failed') output.error(...sinkFailure(sink))
  const width = Math.max(0, ...sinks.map(({ name }) => name.length))
  const lines = sinks.map(({ name, state, packs, objects, bytes, postponed }) => {
    const healed =
      packs + objects === 0 ? '' : `  ${plural(packs + objects, 'object')} healed, ${formatBytes(bytes)}`
    const later =
      postponed.length === 0 ? '' : `  ${plural(postponed.length, 'snapshot')} after the next prune`
    return `${name.padEnd(width)}  ${state.padEnd(6)}${healed}${later}`
  })
  output.print([...lines, ...archives.lines].join('\n'))
  output.printJson({
    sinks,
    lost,
    archives: {
      lost: archives.lost,
      sinks: archives.sinks.map((sink) => ({ ...sink, error: sink.error?.message })),
    },
    exitCode: Math.max(exitCode, archives.exitCode),
  })
}

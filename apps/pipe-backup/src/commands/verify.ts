import { vaultIdOf } from '@pipe-backup/crypto'
import {
  createVerifyProgress,
  type VerifyProgress,
  type VerifyReport,
  verify as verifyVault,
} from '@pipe-backup/vault'
import { verifyArchivesOf } from '../archives/verify-archives.ts'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { type CommandMetrics, withMetrics } from '../metrics/command-metrics.ts'
import { samplesOfVerify } from '../metrics/samples-of.ts'
import { Notifier } from '../notify/notifier.ts'
import { ofVerifiedArchives, ofVerify } from '../notify/observations.ts'
import { findByName, openSinks } from '../providers/open-sinks.ts'
import { sayProgress } from '../run/with-progress.ts'
import { sinkFailure } from '../terminal/error-line.ts'
import { howFar } from '../terminal/how-far.ts'
import { RecentRate } from '../terminal/progress-lines.ts'
import { formatBytes, formatCount, formatSeconds, formatTime, plural } from '../terminal/quantities.ts'
import { showProgress } from '../terminal/show-progress.ts'
import { UsageError } from '../usage-error.ts'
import { type Drill, readLastDrill } from '../vault/drill-log.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { openListingKeys, openVaultKeys } from '../vault/vault-keys.ts'

export interface VerifyCommandOptions {
  readonly deep?: boolean | undefined
  readonly sample?: string | undefined
  readonly sink: readonly string[]
  readonly phraseFile?: string | undefined
}

/** `verify`: every object on every sink. @returns the exit code */
export async function verify(cli: CliContext, options: VerifyCommandOptions): Promise<number> {
  const sample = ifSet(options.sample, toPart)
  const config = await openConfig(cli)
  return await withMetrics(config, cli, 'verify', async (metrics) =>
    verifyOnce(config, metrics, cli, { ...options, sample }),
  )
}

async function verifyOnce(
  config: LoadedConfig,
  metrics: CommandMetrics,
  cli: CliContext,
  options: Omit<VerifyCommandOptions, 'sample'> & { readonly sample: number | undefined },
): Promise<number> {
  const { output, signal } = cli
  const { sample } = options
  for (const name of options.sink) findByName('sink', config.sinks, name)
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  const { sinks } = opened
  const deepKeys = options.deep ? await openVaultKeys(sinks, cli, options.phraseFile) : undefined
  const keys = deepKeys ?? (await openListingKeys(config, sinks, cli, options.phraseFile))
  const progress = createVerifyProgress()
  using _display = showVerifyProgress(progress, cli)
  using lines = sayProgress(cli, progress)
  const notifier = new Notifier(config, cli)
  const report = await notifier.watch('vault', () =>
    verifyVault({
      vaultId: vaultIdOf(keys.publicKey),
      keys,
      sinks,
      targets: options.sink.length > 0 ? options.sink : undefined,
      deepKeys,
      sample,
      stateDirectory: config.state,
      signal,
      progress,
      onProblem: ({ message, sink, key, why }) =>
        output.error(message, { event: 'damage', sink, key, code: why }),
    }),
  )
  const archives = await verifyArchivesOf(
    config,
    {
      sinks,
      targets: options.sink,
      keys,
      identity: deepKeys,
      sample: sample ?? 1,
      onRead: (bytes) => {
        progress.bytesRead += bytes
      },
    },
    cli,
  )
  _display?.[Symbol.dispose]()
  lines?.[Symbol.dispose]()
  print(report, archives, await readLastDrill(config.state), cli)
  await notifier.notify([...ofVerify(report), ofVerifiedArchives(archives)])
  metrics.add(samplesOfVerify(report, archives))
  return Math.max(report.exitCode, archives.exitCode)
}

/** @throws UsageError */
function toPart(text: string): number {
  const percent = Number(text.replace(/%$/, ''))
  if (text.trim() !== '' && percent > 0 && percent <= 100) return percent / 100
  throw new UsageError(`--sample ${text}: not a part of everything`, 'Give a percentage: --sample 2%')
}

function print(
  { sinks, snapshots, lost, seconds, exitCode }: VerifyReport,
  archives: Awaited<ReturnType<typeof verifyArchivesOf>>,
  drill: Drill | undefined,
  { output }: CliContext,
): void {
  for (const { key, snapshots: ids } of lost)
    output.error(`${key} is intact on no sink: snapshots that need it: ${ids.join(', ')}`, {
      event: 'damage',
      key,
    })
  for (const sink of sinks) if (sink.state === 'failed') output.error(...sinkFailure(sink))
  const width = Math.max(0, ...sinks.map(({ name }) => name.length))
  const lines = sinks.map(({ name, state, objects, bytes, packsProven, bytesRead, problems }) => {
    const found = problems.length === 0 ? '' : `  ${plural(problems.length, 'problem')}`
    return `${name.padEnd(width)}  ${state.padEnd(7)}  ${plural(objects, 'object')}, ${formatBytes(bytes)}  ${plural(packsProven, 'pack')} proven, ${formatBytes(bytesRead)} read${found}`
  })
  const isDamaged =
    sinks.some(({ state }) => state === 'damaged') ||
    archives.sinks.some(({ problems }) => problems.length > 0)
  const text = [
    `${plural(snapshots, 'snapshot')}, ${formatSeconds(seconds)}`,
    ...lines,
    ...archives.lines,
    ...(isDamaged ? ['Repair it with: pipe-backup heal'] : []),
    drill
      ? `last drill: ${formatTime(drill.time)}, snapshot ${drill.snapshot}, ${formatBytes(drill.bytes)}`
      : 'no snapshot has been restored as a drill yet: pipe-backup verify --drill',
  ].join('\n')
  output.report(text, {
    snapshots,
    sinks,
    lost,
    archives: {
      count: archives.archives,
      lost: archives.lost,
      sinks: archives.sinks.map((sink) => ({ ...sink, error: sink.error?.message })),
    },
    seconds,
    exitCode: Math.max(exitCode, archives.exitCode),
  })
}

function showVerifyProgress(
  progress: VerifyProgress,
  { output, options }: CliContext,
): Disposable | undefined {
  if (!process.stderr.isTTY || options.quiet || options.logJson || (options.json && options.verbose))
    return undefined
  const [rate, packRate] = [new RecentRate(), new RecentRate()]
  const lines = (elapsedMs: number): readonly string[] => {
    const { packs, packsToProve, bytesRead } = progress
    const words = [
      'verifying',
      ...howFar(packs, packsToProve, packRate.measure(packs, elapsedMs), elapsedMs),
      `${formatCount(packs)} of ${formatCount(packsToProve)} packs`,
      formatBytes(bytesRead),
      `${formatBytes(rate.measure(bytesRead, elapsedMs))}/s`,
      formatSeconds(elapsedMs / 1000),
    ]
    return [words.join('  ')]
  }
  return showProgress(lines, process.stderr, output)
}

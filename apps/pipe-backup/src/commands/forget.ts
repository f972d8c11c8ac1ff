import type { Sink } from '@pipe-backup/sink'
import {
  isHeld,
  listSnapshots,
  markSnapshot,
  type PruneReport,
  prune,
  requireMaintainer,
  type SnapshotInfo,
  selectSnapshot,
  type VaultHost,
} from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { ifSet } from '../config/if-set.ts'
import { policyOf } from '../config/keep-policy.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { toMilliseconds } from '../config/values.ts'
import { loadHost } from '../host/load-host.ts'
import { newestOfSources } from '../mark/newest-of-sources.ts'
import { type CommandMetrics, withMetrics } from '../metrics/command-metrics.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { takeRunLock } from '../run/run-lock.ts'
import { errorLine, sinkFailure, sinkLine, sinkProblem } from '../terminal/error-line.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { formatTime, plural } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'
import { keptBy, sinkLines } from './prune.ts'

export interface ForgetOptions {
  readonly dryRun?: boolean | undefined
  /** Also what is pinned, and the newest good snapshot of a source. */
  readonly force?: boolean | undefined
}

/** `forget`: removes the snapshots that are named, as a prune would. @returns the exit code */
export async function forget(
  cli: CliContext,
  specs: readonly string[],
  options: ForgetOptions,
): Promise<number> {
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; a snapshot is removed from every sink')
  const config = await openConfig(cli)
  if (options.dryRun) return await forgetIn(config, undefined, cli, specs, options)
  return await withMetrics(config, cli, 'forget', async (metrics) =>
    forgetIn(config, metrics, cli, specs, options),
  )
}

async function forgetIn(
  config: LoadedConfig,
  metrics: CommandMetrics | undefined,
  cli: CliContext,
  specs: readonly string[],
  { dryRun = false, force = false }: ForgetOptions,
): Promise<number> {
  const { output, signal } = cli
  const host = await loadHost(config.hostKey)
  requireMaintainer(host)
  using _lock = dryRun ? undefined : await takeRunLock(config.state)
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  const { sinks } = opened
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const all = await listSnapshots({ sinks, keys: host.keys, withMarks: true, signal, onProblem })
  const chosen = new Set(specs.map((spec) => selectSnapshot(all, spec)))
  if (!force) requireExpendable(all, chosen)
  if (chosen.size === all.length)
    throw new CommandError('last-copy', 'nothing was removed: no snapshot at all would be left')
  if (!dryRun) await unpin(chosen, { host, sinks }, cli)
  const report = await pruneOf(chosen, { config, host, sinks, dryRun, force }, cli)
  for (const sink of report.sinks) if (sink.state === 'failed') output.error(...sinkFailure(sink))
  if (!dryRun && report.exitCode !== 0)
    output.warn(
      'a sink that still has them brings them back, as far as `keep` keeps them: then forget them again',
    )
  await metrics?.look({ ...host, sinks })
  output.report(linesOf(report, chosen, dryRun).join('\n'), report)
  return report.exitCode
}

/** @throws CommandError `pinned`, `last-copy`: nothing was removed */
function requireExpendable(all: readonly SnapshotInfo[], chosen: ReadonlySet<SnapshotInfo>): void {
  const ids = new Set([...chosen].map(({ id }) => id))
  const pinned = [...chosen].find(({ marks }) => isHeld(marks))
  if (pinned)
    throw new CommandError(
      'pinned',
      `nothing was removed: ${pinned.id} ${pinned.marks?.pinned ? 'is pinned' : 'may be pinned, for a mark of it is damaged'}`,
      `pipe-backup unpin ${pinned.id}, or give --force`,
    )
  const newest = newestOfSources(all).find(({ id }) => ids.has(id))
  if (newest)
    throw new CommandError(
      'last-copy',
      `nothing was removed: ${newest.id} is the newest good snapshot of source "${escapeText(newest.source)}" of ${escapeText(newest.host)}`,
      'Make a newer one with pipe-backup run, or give --force.',
    )
}

/** Takes the pins back first: a sink that was away would bring the snapshot back for its pin. */
async function unpin(
  chosen: ReadonlySet<SnapshotInfo>,
  { host, sinks }: { readonly host: VaultHost; readonly sinks: readonly Sink[] },
  { output, signal }: CliContext,
): Promise<void> {
  for (const snapshot of chosen) {
    if (!isHeld(snapshot.marks)) continue
    const { sinks: states } = await markSnapshot({ host, sinks, snapshot, change: { pinned: false }, signal })
    for (const { name, error } of states) if (error !== undefined) output.warn(sinkLine(name, error))
  }
}

interface ForgetAt {
  readonly config: LoadedConfig
  readonly host: VaultHost
  readonly sinks: readonly Sink[]
  readonly dryRun: boolean
  readonly force: boolean
}

async function pruneOf(
  chosen: ReadonlySet<SnapshotInfo>,
  { config, host, sinks, dryRun, force }: ForgetAt,
  { output, signal }: CliContext,
): Promise<PruneReport> {
  const ids = new Set([...chosen].map(({ id }) => id))
  const policy = policyOf(config)
  return await prune({
    host,
    hostName: config.host,
    sinks,
    choose: () => ids,
    // Without a policy nothing goes on the word of trash that an earlier prune, or a thief, has left.
    keeps: policy ? keptBy(policy) : (snapshots) => new Set(snapshots.map(({ id }) => id)),
    unpinned: force ? ids : undefined,
    graceMs: ifSet(config.grace, toMilliseconds),
    dryRun,
    stateDirectory: config.state,
    signal,
    onProblem: (sink, error) => output.warn(...sinkProblem(sink, error)),
  })
}

function linesOf(
  { removed, kept, sinks }: PruneReport,
  chosen: ReadonlySet<SnapshotInfo>,
  dryRun: boolean,
): readonly string[] {
  const gone = new Set(removed)
  return [
    ...[...chosen].map(({ id, time, host }) => {
      const fate = gone.has(id) ? (dryRun ? 'would go' : 'gone') : 'stays'
      return `${id}  ${formatTime(time)}  ${escapeText(host)}  ${fate}`
    }),
    `${plural(removed.length, 'snapshot')} ${dryRun ? 'would go' : 'went'}, ${kept} stay`,
    ...sinkLines(sinks, dryRun),
  ]
}

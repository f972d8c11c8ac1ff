import { massRemoval, type Policy, type Retention, retain } from '@pipe-backup/retention'
import { type PrunedSink, type PruneReport, prune as pruneVault, type SnapshotInfo } from '@pipe-backup/vault'
import { pruneArchivesOf } from '../archives/prune-archives.ts'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { ifSet } from '../config/if-set.ts'
import { policyOf } from '../config/keep-policy.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { toMilliseconds } from '../config/values.ts'
import { loadHost } from '../host/load-host.ts'
import { keepPinned } from '../mark/keep-pinned.ts'
import { type CommandMetrics, withMetrics } from '../metrics/command-metrics.ts'
import { Notifier } from '../notify/notifier.ts'
import { ofPrune } from '../notify/observations.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { PruneLog } from '../prune/prune-log.ts'
import { takeRunLock } from '../run/run-lock.ts'
import { sinkFailure, sinkProblem } from '../terminal/error-line.ts'
import { formatBytes, formatTime, plural } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

export interface PruneCommandOptions {
  readonly dryRun?: boolean | undefined
  readonly compact?: boolean | undefined
  /** Also where most of what is there would go. */
  readonly force?: boolean | undefined
}

/** Which snapshots a policy keeps, by id. */
export function keptBy(policy: Policy): (snapshots: readonly SnapshotInfo[]) => ReadonlySet<string> {
  return (snapshots) => new Set(retain(snapshots, policy, { floorDays: FLOOR_DAYS }).kept.keys())
}

/** For a week the last snapshot of each day stays, whatever the policy: a host that was taken over can't crowd the good ones out. */
const FLOOR_DAYS = 7

/** What a prune has done, or would do. */
export interface PruneOutcome {
  readonly report: PruneReport
  /** The snapshots that there were, oldest first. */
  readonly seen: readonly SnapshotInfo[]
  readonly retention: Retention
  readonly archives: Awaited<ReturnType<typeof pruneArchivesOf>>
}

/** `prune`: applies `keep`. @returns the exit code */
export async function prune(cli: CliContext, options: PruneCommandOptions): Promise<number> {
  const config = await openConfig(cli)
  if (options.dryRun) return await pruneOnce(config, undefined, cli, options)
  return await withMetrics(config, cli, 'prune', async (metrics) => pruneOnce(config, metrics, cli, options))
}

async function pruneOnce(
  config: LoadedConfig,
  metrics: CommandMetrics | undefined,
  cli: CliContext,
  options: PruneCommandOptions,
): Promise<number> {
  const { output } = cli
  const { report, seen, retention, archives } = await applyPolicy(config, metrics, cli, options)
  for (const sink of report.sinks) if (sink.state === 'failed') output.error(...sinkFailure(sink))
  output.report(
    [...reportLines(report, seen, retention, options.dryRun ?? false), ...archives.lines].join('\n'),
    { ...reportToJson(report, retention), archives: archives.json },
  )
  return Math.max(report.exitCode, archives.exitCode)
}

/**
 * Applies `keep`, or finds what that would do.
 * @param metrics - looks at what is left
 * @throws UsageError without a policy; CommandError `mass-removal`
 */
export async function applyPolicy(
  config: LoadedConfig,
  metrics: CommandMetrics | undefined,
  cli: CliContext,
  { dryRun = false, compact = false, force = false }: PruneCommandOptions,
): Promise<PruneOutcome> {
  const { output, signal } = cli
  const policy = requirePolicy(config)
  const host = await loadHost(config.hostKey)
  using _lock = dryRun ? undefined : await takeRunLock(config.state)
  await using opened = await openSinks(config, { secrets: openSecrets(config, cli), signal })
  let seen: readonly SnapshotInfo[] = []
  let retention: Retention = { kept: new Map(), removed: [] }
  const notifier = new Notifier(config, cli)
  const routine = await PruneLog.open(config.state, 'snapshots')
  const options = {
    host,
    hostName: config.host,
    sinks: opened.sinks,
    choose: (snapshots: readonly SnapshotInfo[]) => {
      seen = snapshots
      if (snapshots.length > 0)
        retention = keepPinned(retain(snapshots, policy, { floorDays: FLOOR_DAYS }), snapshots)
      const removed = new Set(retention.removed)
      const why = force ? undefined : massRemoval(snapshots, removed, { routineKept: routine.keptBy(policy) })
      if (why !== undefined && !dryRun) throw massRemovalError(why)
      if (why !== undefined) output.warn(`without --force nothing would be removed: ${why}`)
      return removed
    },
    keeps: keptBy(policy),
    graceMs: ifSet(config.grace, toMilliseconds),
    dryRun,
    compact,
    stateDirectory: config.state,
    signal,
    onProblem: (sink: string | undefined, error: Error) => output.warn(...sinkProblem(sink, error)),
  }
  const report = dryRun ? await pruneVault(options) : await notifier.watch('prune', () => pruneVault(options))
  const archives = await pruneArchivesOf(
    config,
    policy,
    { sinks: opened.sinks, keys: host.keys, dryRun, force },
    cli,
  )
  if (!dryRun) {
    if (report.exitCode !== 1) await routine.record(policy, report.kept)
    await notifier.notify(ofPrune(report))
    await metrics?.look({ ...host, sinks: opened.sinks })
  }
  return { report, seen, retention, archives }
}

function massRemovalError(why: string): CommandError {
  return new CommandError(
    'mass-removal',
    `nothing was removed: ${why}`,
    'See what would go with "pipe-backup prune --dry-run"; if that is what you want: pipe-backup prune --force',
  )
}

/** @throws UsageError without a policy: to remove nothing would be no prune, and to guess one could remove all */
function requirePolicy(config: LoadedConfig): Policy {
  const policy = policyOf(config)
  if (policy !== undefined) return policy
  throw new UsageError(
    `${config.file} does not say what to keep`,
    'Add: keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 }',
  )
}

function reportLines(
  report: PruneReport,
  seen: readonly SnapshotInfo[],
  { kept }: Retention,
  dryRun: boolean,
): readonly string[] {
  const { removed, compacted, sinks } = report
  const gone = new Set(removed)
  const would = dryRun ? 'would ' : ''
  return [
    ...seen.map(({ id, time, host }) => {
      const fate = gone.has(id) ? `${would}go` : `stays: ${kept.get(id)?.join(', ') ?? ''}`
      return `${id}  ${formatTime(time)}  ${host}  ${fate}`
    }),
    `${plural(removed.length, 'snapshot')} ${dryRun ? 'would go' : 'went'}, ${report.kept} stay`,
    ...(compacted.into > 0
      ? [`${plural(compacted.from, 'pack')} moved into ${compacted.into}, ${formatBytes(compacted.bytes)}`]
      : []),
    ...sinkLines(sinks, dryRun),
  ]
}

/** What became of each sink, a line each. */
export function sinkLines(sinks: readonly PrunedSink[], dryRun: boolean): readonly string[] {
  const width = Math.max(0, ...sinks.map(({ name }) => name.length))
  return sinks.map((sink) => {
    const {
      name,
      state,
      bytesBefore,
      bytesAfter,
      bytesFreed,
      bytesCondemned,
      refused,
      locksRenewed,
      locksFailed,
    } = sink
    if (state === 'failed') return `${name.padEnd(width)}  failed`
    const later =
      bytesCondemned === 0 ? '' : `, ${formatBytes(bytesCondemned)} more when the grace time is over`
    const locks = `${locksRenewed === 0 ? '' : `, ${plural(locksRenewed, 'lock')} renewed`}${locksFailed === 0 ? '' : `, ${plural(locksFailed, 'lock')} not renewed`}`
    const left = refused === 0 ? '' : `, ${plural(refused, 'object')} not let go`
    return `${name.padEnd(width)}  ${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}: ${formatBytes(bytesFreed)} ${dryRun ? 'would be ' : ''}freed${later}${left}${locks}`
  })
}

function reportToJson(report: PruneReport, { kept }: Retention): object {
  return { ...report, keeps: Object.fromEntries(kept) }
}

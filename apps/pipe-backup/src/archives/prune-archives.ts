import { type ArchiveInfo, type PruneArchivesReport, pruneArchives } from '@pipe-backup/archive'
import { massRemoval, type Policy, type Retention } from '@pipe-backup/retention'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { PruneLog } from '../prune/prune-log.ts'
import { sinkProblem } from '../terminal/error-line.ts'
import { formatBytes, formatTime, plural } from '../terminal/quantities.ts'
import { asSnapshot, retainArchives } from './keep-archives.ts'

export interface PrunedArchives {
  readonly exitCode: 0 | 1
  readonly lines: readonly string[]
  readonly json: object
}

/** Applies `keep` to the archives. Without any it says nothing. */
export async function pruneArchivesOf(
  config: LoadedConfig,
  policy: Policy,
  options: Pick<Parameters<typeof pruneArchives>[0], 'sinks' | 'keys'> & {
    readonly dryRun: boolean
    readonly force: boolean
  },
  { output, signal }: CliContext,
): Promise<PrunedArchives> {
  const { dryRun, force, sinks, keys } = options
  const routine = await PruneLog.open(config.state, 'archives')
  let retention: Retention = { kept: new Map(), removed: [] }
  let refused: string | undefined
  const choose = (archives: readonly ArchiveInfo[]): ReadonlySet<string> => {
    retention = retainArchives(archives, policy)
    const removed = new Set(retention.removed)
    if (force) return removed
    const snapshots = archives.map(asSnapshot)
    refused = massRemoval(snapshots, removed, { routineKept: routine.keptBy(policy), what: 'archives' })
    return refused === undefined || dryRun ? removed : new Set()
  }
  const report = await pruneArchives({ sinks, keys, choose, dryRun, signal })
  for (const { name, error } of report.sinks) if (error) output.error(...sinkProblem(name, error))
  if (refused !== undefined && dryRun) output.warn(`without --force no archive would be removed: ${refused}`)
  else if (refused !== undefined)
    output.error(`no archive was removed: ${refused}. If that is what you want: pipe-backup prune --force`)
  const isFailed = report.sinks.some(({ error }) => error) || (refused !== undefined && !dryRun)
  if (!dryRun && !isFailed) await routine.record(policy, report.archives.length - report.removed.length)
  return {
    exitCode: isFailed ? 1 : 0,
    lines: linesOf(report, retention, dryRun),
    json: {
      removed: report.removed,
      keeps: Object.fromEntries(retention.kept),
      sinks: report.sinks.map((sink) => ({ ...sink, error: sink.error?.message })),
    },
  }
}

function linesOf(report: PruneArchivesReport, { kept }: Retention, dryRun: boolean): readonly string[] {
  const { archives, removed, sinks } = report
  if (archives.length === 0) return []
  const gone = new Set(removed)
  const freed = sinks.map(({ name, bytesFreed }) => `${name} ${formatBytes(bytesFreed)}`).join(', ')
  return [
    ...archives.map(({ id, time }) => {
      const fate = gone.has(id) ? `${dryRun ? 'would ' : ''}go` : `stays: ${kept.get(id)?.join(', ') ?? ''}`
      return `${id}  ${formatTime(time)}  ${fate}`
    }),
    `${plural(removed.length, 'archive')} ${dryRun ? 'would go' : 'went'}, ${archives.length - removed.length} stay; freed: ${freed}`,
  ]
}

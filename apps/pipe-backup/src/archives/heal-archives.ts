import { type HealArchivesReport, healArchives } from '@pipe-backup/archive'
import type { ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { policyOf } from '../config/keep-policy.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { sinkProblem } from '../terminal/error-line.ts'
import { formatBytes, plural } from '../terminal/quantities.ts'
import { ArchiveDamageLog } from './archive-damage.ts'
import { retainArchives } from './keep-archives.ts'

/** Brings the archives that `keep` keeps to every sink. */
export async function healArchivesOf(
  config: LoadedConfig,
  options: {
    readonly sinks: readonly Sink[]
    readonly targets: readonly string[]
    readonly keys: ObjectKeys
  },
  { output, signal }: CliContext,
): Promise<HealArchivesReport & { readonly exitCode: 0 | 1; readonly lines: readonly string[] }> {
  const { sinks, targets, keys } = options
  const log = await ArchiveDamageLog.open(config.state)
  const report = await healArchives({
    sinks,
    targets: targets.length > 0 ? targets : undefined,
    keys,
    damaged: log.damaged,
    choose: (archives) => new Set(retainArchives(archives, policyOf(config)).kept.keys()),
    signal,
    onProblem: (sink, error) => output.warn(...sinkProblem(sink, error)),
    onHealed: (sink, key, sizeBytes) => output.note(`sink "${sink}": ${key}, ${formatBytes(sizeBytes)}`),
  })
  await log.healed(report.whole)
  for (const { name, error } of report.sinks) if (error) output.error(...sinkProblem(name, error))
  for (const id of report.lost)
    output.error(`archive ${id} is intact on no sink`, { event: 'damage', key: id })
  const isLevel = report.lost.length === 0 && report.sinks.every(({ error }) => !error)
  const healed = report.sinks.filter(({ objects }) => objects > 0)
  return {
    ...report,
    exitCode: isLevel ? 0 : 1,
    lines: healed.map(
      ({ name, objects, bytes }) =>
        `${name}: ${plural(objects, 'object')} of archives healed, ${formatBytes(bytes)}`,
    ),
  }
}

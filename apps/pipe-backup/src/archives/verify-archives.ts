import { type VerifyArchivesReport, verifyArchives } from '@pipe-backup/archive'
import type { KeyPair, ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { policyOf } from '../config/keep-policy.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { sinkProblem } from '../terminal/error-line.ts'
import { formatBytes, plural } from '../terminal/quantities.ts'
import { ArchiveDamageLog } from './archive-damage.ts'
import { retainArchives } from './keep-archives.ts'

export interface VerifyArchivesOfOptions {
  readonly sinks: readonly Sink[]
  /** Names; empty for all. */
  readonly targets: readonly string[]
  readonly keys: ObjectKeys
  /** With --deep. */
  readonly identity: KeyPair | undefined
  readonly sample: number
  readonly onRead: (bytes: number) => void
}

/** Verifies the archives, and says what is wrong with them. A sink that does not answer is the affair of the vault's verification. */
export async function verifyArchivesOf(
  config: LoadedConfig,
  options: VerifyArchivesOfOptions,
  { output, signal }: CliContext,
): Promise<VerifyArchivesReport & { readonly exitCode: 0 | 1; readonly lines: readonly string[] }> {
  const { sinks, targets, keys, identity, sample, onRead } = options
  const log = await ArchiveDamageLog.open(config.state)
  const report = await verifyArchives({
    sinks,
    targets: targets.length > 0 ? targets : undefined,
    keys,
    identity,
    isDue: (sink, index, count) => log.isDue(sink, sample, index, count),
    isWanted: (archives) => new Set(retainArchives(archives, policyOf(config)).kept.keys()),
    signal,
    onRead,
  })
  const found = report.sinks.flatMap(({ name, problems }) => problems.map(({ key }) => ({ sink: name, key })))
  const answering = report.sinks.filter(({ error }) => !error).map(({ name }) => name)
  await log.verified(answering, sample, found)
  for (const { name, problems, error } of report.sinks) {
    for (const { message, key } of problems) output.error(message, { event: 'damage', sink: name, key })
    if (error) output.error(...sinkProblem(name, error))
  }
  for (const id of report.lost)
    output.error(`archive ${id} is intact on no sink`, { event: 'damage', key: id })
  const isWhole =
    report.lost.length === 0 && report.sinks.every(({ problems, error }) => !error && problems.length === 0)
  return { ...report, exitCode: isWhole ? 0 : 1, lines: linesOf(report) }
}

function linesOf({ archives, sinks }: VerifyArchivesReport): readonly string[] {
  if (archives === 0) return []
  const width = Math.max(...sinks.map(({ name }) => name.length))
  return [
    plural(archives, 'archive'),
    ...sinks.map(({ name, archives: held, bytesRead, problems, error }) => {
      const state = error ? 'failed' : problems.length > 0 ? 'damaged' : 'ok'
      const bad = problems.length === 0 ? '' : `  ${plural(problems.length, 'problem')}`
      return `${name.padEnd(width)}  ${state.padEnd(7)}  ${plural(held, 'archive')}, ${formatBytes(bytesRead)} read${bad}`
    }),
  ]
}

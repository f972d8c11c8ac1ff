import type { Source } from '@pipe-backup/source'
import { type BackupReport, backup, createProgress } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { ifSet } from '../config/if-set.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { toBytes, toMilliseconds } from '../config/values.ts'
import { loadHost } from '../host/load-host.ts'
import { checkTags } from '../mark/check-tags.ts'
import { type CommandMetrics, withMetrics } from '../metrics/command-metrics.ts'
import { samplesOfRun } from '../metrics/samples-of.ts'
import { Notifier } from '../notify/notifier.ts'
import { ofFailedRun, ofRun } from '../notify/observations.ts'
import { openSinks } from '../providers/open-sinks.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { ownDirectories, type SourceSurroundings, sourceMemory } from '../providers/source-surroundings.ts'
import { chooseSources, refuseTerminal } from '../run/choose-sources.ts'
import { Hooks } from '../run/hooks.ts'
import { takeRunLock } from '../run/run-lock.ts'
import { reportLines, reportToJson } from '../run/run-report.ts'
import { lastSizeOf, rememberSizes } from '../run/source-sizes.ts'
import { stdinSource } from '../run/stdin-source.ts'
import { supervise } from '../run/supervise.ts'
import { withProgress } from '../run/with-progress.ts'
import type { SecretReader } from '../secrets/read-secret.ts'
import { sinkFailure, sinkProblem } from '../terminal/error-line.ts'
import { createNoteLog } from '../terminal/note-log.ts'
import { createProblemLog } from '../terminal/problem-log.ts'
import { UsageError } from '../usage-error.ts'
import { rememberSinks } from '../vault/known-sinks.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

export interface RunOptions {
  readonly source: readonly string[]
  /** What the snapshot is tagged with. */
  readonly tag?: readonly string[] | undefined
  readonly stdin?: string | undefined
  /** Reads every file, also those that look unchanged. */
  readonly force?: boolean | undefined
}

/** `run`: backs up now. @returns the exit code */
export async function run(cli: CliContext, options: RunOptions): Promise<number> {
  if (cli.options.from.length > 0)
    throw new UsageError('--from is for commands that read; run writes to every sink')
  checkTags(options.tag ?? [])
  const elsewhere = await supervise(cli)
  if (elsewhere !== undefined) return elsewhere
  const config = await openConfig(cli)
  await refuseSharedLocations(config)
  const notifier = new Notifier(config, cli)
  try {
    return await withMetrics(config, cli, 'run', async (metrics) =>
      runOnce(config, notifier, metrics, cli, options),
    )
  } catch (error) {
    if (isFailedRun(error, cli, options)) await notifier.ended('run', ofFailedRun(error))
    throw error
  }
}

/** Whether somebody who is not there has to hear of it. */
function isFailedRun(error: unknown, { signal }: CliContext, { source, stdin }: RunOptions): boolean {
  // A person has stopped it, or has mistyped a name.
  if (signal.aborted || (error instanceof UsageError && (source.length > 0 || stdin !== undefined)))
    return false
  return !(error instanceof CommandError && error.code === 'locked')
}

async function runOnce(
  config: LoadedConfig,
  notifier: Notifier,
  metrics: CommandMetrics,
  cli: CliContext,
  options: RunOptions,
): Promise<number> {
  const { output, signal } = cli
  const host = await loadHost(config.hostKey)
  const secrets = openSecrets(config, cli)
  using _lock = await takeRunLock(config.state)
  const notes = createNoteLog(output)
  const surroundings = {
    leaveOut: ownDirectories(config),
    memoryOf: (name: string) => sourceMemory(config.state, host.vaultId, name, output),
    onNote: notes.report,
  }
  const sources = await sourcesOf(config, secrets, cli, options, surroundings)
  await using opened = await openSinks(config, { secrets, signal })
  const progress = createProgress()
  const problems = createProblemLog(output)
  const reported = new Set<string>()
  const hooks = new Hooks(config, cli)
  let report: BackupReport | undefined
  try {
    await notifier.ping('start')
    await hooks.beforeRun()
    const lastSize = await lastSizeOf(
      config.state,
      sources.map(({ name }) => name),
    )
    const work = (): Promise<BackupReport> =>
      backup({
        host,
        hostName: config.host,
        program: cli.program,
        sources,
        sinks: opened.sinks,
        tags: options.tag,
        copies: config.copies,
        windowBytes: ifSet(config.window, toBytes),
        // Who names a source wants it read.
        everyMs: options.source.length === 0 ? everyMs(config) : undefined,
        force: options.force,
        beforeSource: (name) => hooks.beforeSource(name),
        afterSource: (source) => hooks.afterSource(source),
        stateDirectory: config.state,
        signal,
        progress,
        onProblem: (problem) => problems.report(`${problem.source}/${problem.path}`, problem, problem.source),
        onSinkProblem: (sink, error) => {
          if (sink !== undefined) reported.add(sink)
          output.error(...sinkProblem(sink, error))
        },
      })
    report = await withProgress(cli, progress, work, lastSize)
  } finally {
    await hooks.afterRun(report)
  }
  problems.finish()
  notes.finish()
  await rememberSinks(
    config.state,
    report.sinks.filter(({ state }) => state === 'ok').map(({ name }) => name),
    output,
  )
  const watched = config.sources.filter(({ type }) => type !== 'files').map(({ name }) => name)
  await rememberSizes(config.state, report.sources, new Set(watched), output)
  print(report, config, cli, reported)
  await notifier.ended('run', ofRun(report))
  metrics.add(samplesOfRun(report))
  await metrics.look({ ...host, sinks: opened.sinks })
  return report.exitCode
}

/** A run that comes a little early, by a timer's whim, is still the one that is due. */
const EARLY = 0.02

function everyMs({ sources }: LoadedConfig): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const { name, every } of sources) {
    if (every !== undefined) times.set(name, toMilliseconds(every) * (1 - EARLY))
  }
  return times
}

async function sourcesOf(
  config: LoadedConfig,
  secrets: SecretReader,
  cli: CliContext,
  { source: names, stdin: target }: RunOptions,
  surroundings: SourceSurroundings,
): Promise<readonly Source[]> {
  if (target === undefined) return await chooseSources(config, secrets, cli, names, surroundings)
  refuseTerminal('mysqldump shop | pipe-backup run --stdin database/shop.sql')
  const piped = stdinSource(target, process.stdin, () => new Date())
  if (names.includes(piped.name)) throw new UsageError(`--stdin and --source both name "${piped.name}"`)
  const others = names.length === 0 ? [] : await chooseSources(config, secrets, cli, names, surroundings)
  return [...others, piped]
}

/** @param reported - the sinks whose failure has been reported already */
function print(
  report: BackupReport,
  config: LoadedConfig,
  { output }: CliContext,
  reported: ReadonlySet<string>,
): void {
  for (const { name, state, error } of report.sources) {
    if (state === 'failed')
      output.error(`source "${name}" failed${error === undefined ? '' : `: ${error}`}`, {
        event: 'source',
        source: name,
        message: error,
      })
  }
  for (const { name, state, error } of report.sinks) {
    if (state === 'failed' && !reported.has(name)) output.error(...sinkFailure({ name, error }))
  }
  if (report.snapshot === null) {
    const why = report.sources.every(({ state }) => state === 'failed')
      ? 'no source could be read'
      : `${report.copies} of the ${config.copies} sinks that must hold it took it`
    output.error(`no snapshot was made: ${why}`)
  }
  output.report(reportLines(report).join('\n'), reportToJson(report))
}

import { resolve } from 'node:path'
import type { ExtractOptions, ExtractReport, Overwrite } from '@pipe-backup/extract'
import type { Entry } from '@pipe-backup/source'
import type { SnapshotInfo } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { chooseEntries } from '../restore/choose-entries.ts'
import { choosePutBack } from '../restore/in-place.ts'
import { reportLeftOut } from '../restore/report-left-out.ts'
import { warnOfRoom, withMissing } from '../restore/room.ts'
import { showPreview } from '../restore/show-preview.ts'
import { type Stripped, stripPaths } from '../restore/strip-paths.ts'
import { sayProgress } from '../run/with-progress.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { sinkFailure } from '../terminal/error-line.ts'
import { createProblemLog } from '../terminal/problem-log.ts'
import { formatBytes, formatCount, plural } from '../terminal/quantities.ts'
import { type Gauge, showGauge } from '../terminal/show-gauge.ts'
import { UsageError } from '../usage-error.ts'
import { openReading, type Reading } from '../vault/open-reading.ts'

export interface RestoreOptions {
  readonly to?: string | undefined
  /** Back to where it was. */
  readonly inPlace?: boolean | undefined
  /** Patterns of what is restored, and of what is not. */
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
  /** What becomes of what is there already. */
  readonly overwrite: Overwrite
  /** Says what would be written, and writes nothing. */
  readonly dryRun?: boolean | undefined
  /** How many components are taken off the beginning of each path. */
  readonly strip?: number | undefined
  readonly repair?: boolean | undefined
  /** Only of snapshots with any of these. */
  readonly tag?: readonly string[] | undefined
  readonly phraseFile?: string | undefined
}

/** What has come out of a snapshot so far. */
export interface RestoreGauge extends Gauge {
  entries: number
}

/** `restore`: into a directory, or as a tar on standard output. @returns the exit code */
export async function restore(
  cli: CliContext,
  spec: string,
  paths: readonly string[],
  options: RestoreOptions,
): Promise<number> {
  const { machine, output } = cli
  const { inPlace = false, strip = inPlace ? 1 : 0, overwrite } = options
  if (options.to === '')
    throw new UsageError(
      '--to is empty',
      'Give a directory: a variable in a script may have no value. Here is --to .',
    )
  const directory = inPlace ? '/' : options.to === undefined ? undefined : resolve(machine.cwd, options.to)
  if (directory === undefined) refuseWithoutDirectory(options, output.json)
  const choice = chooseEntries(options.include, options.exclude)
  const wanted = paths.length === 0 ? undefined : paths.map(toSnapshotPath)
  await using opened = await openReading(cli, spec, options.phraseFile, wanted, options.tag)
  const { paths: chosen, leftOut } = inPlace
    ? choosePutBack(wanted, opened.snapshot, opened.config)
    : { paths: wanted, leftOut: [] }
  for (const name of leftOut)
    output.warn(
      `source "${name}" is left out: it is no files source of the configuration, and has no place to go back to`,
    )
  // Who unpacks a tar has the directories above as they are there.
  const parents = directory !== undefined && (chosen !== undefined || choice !== undefined)
  const found = opened.reader.entries(chosen, choice?.isWanted, { parents })
  const log = createProblemLog(output)
  const stripped: Stripped = { directories: 0, files: 0, problems: 0 }
  // To put back what several sources have twice is to put it back.
  const entries =
    strip === 0
      ? found
      : stripPaths(found, strip, stripped, inPlace ? undefined : (one) => log.report(one.path, one))
  const gauge: RestoreGauge = {
    entries: 0,
    bytes: 0,
    totalBytes: choice ? undefined : sizeOf(chosen, opened.snapshot),
  }
  let exitCode: number
  if (directory === undefined) exitCode = await toTar(entries, gauge, cli)
  else if (options.dryRun) exitCode = await showPreview(gauged(entries, gauge), directory, overwrite, cli)
  else exitCode = await toDirectory(entries, directory, overwrite, { opened, gauge, cli })
  log.finish()
  const left = reportLeftOut({ choice, strip, stripped, entries: gauge.entries }, output)
  const repaired = options.repair && !options.dryRun ? await repair(opened, cli) : 0
  // A restore that failed in part is the worst that can be said of it.
  if (exitCode === 1 || left === 1) return 1
  return Math.max(exitCode, left, opened.exitCode, repaired, leftOut.length > 0 ? 3 : 0)
}

/** How large whole sources are; undefined where parts of some are asked for. */
export function sizeOf(
  paths: readonly Uint8Array[] | undefined,
  snapshot: Pick<SnapshotInfo, 'sources'>,
): number | undefined {
  const names = paths?.map((path) => Buffer.from(path).toString())
  const chosen = snapshot.sources.filter(({ name }) => names?.includes(name) ?? true)
  if (names && chosen.length < new Set(names).size) return undefined
  return chosen.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Without a directory it is a tar on standard output. @throws UsageError where that can't be meant */
function refuseWithoutDirectory({ dryRun }: RestoreOptions, json: boolean): void {
  if (dryRun) throw new UsageError('--dry-run needs --to DIR or --in-place: it says what would change there')
  if (process.stdout.isTTY)
    throw new UsageError('a tar is not for a terminal', 'Add --to DIR, or send it somewhere: > all.tar')
  if (json) throw new UsageError('--json needs --to DIR or --in-place: standard output is the tar')
}

/** Repairs what was found rotten on the way. What was restored is whole either way: a sink that is not repaired is something to look at. */
async function repair(opened: Reading, { output }: CliContext): Promise<number> {
  const report = await opened.repair()
  for (const sink of report?.sinks ?? []) if (sink.state === 'failed') output.error(...sinkFailure(sink))
  return report === undefined || report.exitCode === 0 ? 0 : 3
}

async function toTar(entries: AsyncIterable<Entry>, gauge: RestoreGauge, cli: CliContext): Promise<number> {
  const { output, signal } = cli
  const { packTar } = await import('@pipe-backup/tar')
  using _display = showRestoring(gauge, cli)
  await output.stream(packTar(gauged(entries, gauge), { signal }), signal)
  return 0
}

/** Writes entries of a snapshot into a directory, and reports what became of it. @returns the exit code */
export async function toDirectory(
  entries: AsyncIterable<Entry>,
  directory: string,
  overwrite: Overwrite,
  {
    opened,
    gauge,
    cli,
  }: { readonly opened: Pick<Reading, 'snapshot'>; readonly gauge: RestoreGauge; readonly cli: CliContext },
): Promise<number> {
  const { output, signal } = cli
  const { snapshot } = opened
  // The root is of several file systems, and what goes back is mostly there.
  if (directory !== '/') await warnOfRoom(directory, gauge, cli)
  const log = createProblemLog(output)
  const report = await extractShown(
    entries,
    directory,
    { signal, overwrite, onProblem: (problem) => log.report(problem.path, problem) },
    gauge,
    cli,
  )
    .catch((error: unknown) => {
      throw withMissing(error, gauge)
    })
    .finally(() => log.finish())
  const { entries: count, bytes, unchanged, kept, problems } = report
  const look = problems === 0 ? '' : `, ${plural(problems, 'problem')}`
  const left =
    (unchanged === 0 ? '' : `, ${plural(unchanged, 'file')} left, of the same size and time`) +
    (kept === 0 ? '' : `, ${formatCount(kept)} left as they were`)
  output.report(
    `restored ${plural(count, 'entry', 'entries')}, ${formatBytes(bytes)}, of snapshot ${snapshot.id} to ${directory}${left}${look}`,
    { snapshot: snapshot.id, to: directory, entries: count, bytes, unchanged, kept, problems },
  )
  return problems === 0 ? 0 : 1
}

async function extractShown(
  entries: AsyncIterable<Entry>,
  directory: string,
  options: ExtractOptions,
  gauge: RestoreGauge,
  cli: CliContext,
): Promise<ExtractReport> {
  const { extract } = await import('@pipe-backup/extract')
  using _display = showRestoring(gauge, cli)
  using _lines = sayProgress(cli, gauge)
  return await extract(entries, directory, {
    ...options,
    onProgress: (count, bytes) => Object.assign(gauge, { entries: count, bytes }),
  })
}

async function* gauged(entries: AsyncIterable<Entry>, gauge: RestoreGauge): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    yield entry
    gauge.entries++
    if (entry.type === 'file') gauge.bytes += entry.size ?? 0
  }
}

/** Draws what has come out so far, on a terminal. */
function showRestoring(gauge: RestoreGauge, cli: CliContext): Disposable | undefined {
  return showGauge(
    gauge,
    cli,
    () => ['restoring'],
    () => [`${formatCount(gauge.entries)} entries`],
  )
}

import { resolve } from 'node:path'
import type { Entry } from '@pipe-backup/source'
import type { Session } from '../session.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { escapeControls } from '../terminal/escape-bytes.ts'
import { RecentRate } from '../terminal/progress-lines.ts'
import { formatBytes, formatCount, formatSeconds, plural } from '../terminal/quantities.ts'
import { showProgress } from '../terminal/show-progress.ts'
import { UsageError } from '../usage-error.ts'
import { openReading, type Reading } from '../vault/open-reading.ts'

export interface RestoreOptions {
  readonly to?: string
  readonly phraseFile?: string
}

/** What has come out of a snapshot so far. */
interface Gauge {
  entries: number
  bytes: number
}

/** `restore`: into a directory, or as a tar on standard output. @returns the exit code */
export async function restore(
  session: Session,
  spec: string,
  paths: readonly string[],
  options: RestoreOptions,
): Promise<number> {
  const { machine, output } = session
  if (options.to === undefined && process.stdout.isTTY) {
    throw new UsageError('a tar is not for a terminal', 'Add --to DIR, or send it somewhere: > all.tar')
  }
  if (options.to === undefined && output.json)
    throw new UsageError('--json needs --to DIR: standard output is the tar')
  const wanted = paths.length === 0 ? undefined : paths.map(toSnapshotPath)
  await using opened = await openReading(session, spec, options.phraseFile)
  const gauge: Gauge = { entries: 0, bytes: 0 }
  const entries = gauged(opened.reader.entries(wanted), gauge)
  using _display = process.stderr.isTTY && !session.options.quiet ? showGauge(gauge, session) : undefined
  if (options.to === undefined) return await toTar(entries, session)
  return await toDirectory(entries, resolve(machine.cwd, options.to), gauge, opened, session)
}

async function toTar(entries: AsyncIterable<Entry>, { output, signal }: Session): Promise<number> {
  const { packTar } = await import('@pipe-backup/tar')
  await output.stream(packTar(entries, { signal }), signal)
  return 0
}

async function toDirectory(
  entries: AsyncIterable<Entry>,
  directory: string,
  gauge: Gauge,
  { snapshot }: Reading,
  { output, signal }: Session,
): Promise<number> {
  const { extract } = await import('@pipe-backup/extract')
  let problems = 0
  await extract(entries, directory, {
    signal,
    onProblem: (problem) => {
      problems++
      output.warn(`${escapeControls(problem.path)}: ${escapeControls(problem.message)}`)
    },
  })
  const { entries: count, bytes } = gauge
  const look = problems === 0 ? '' : `, ${plural(problems, 'problem')}`
  output.print(
    `restored ${plural(count, 'entry', 'entries')}, ${formatBytes(bytes)}, of snapshot ${snapshot.id} to ${directory}${look}`,
  )
  output.printJson({ snapshot: snapshot.id, to: directory, entries: count, bytes, problems })
  return problems === 0 ? 0 : 1
}

async function* gauged(entries: AsyncIterable<Entry>, gauge: Gauge): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    yield entry
    gauge.entries++
    if (entry.type === 'file') gauge.bytes += entry.size ?? 0
  }
}

function showGauge(gauge: Gauge, { output }: Session): Disposable {
  const rate = new RecentRate()
  const lines = (elapsedMs: number): readonly string[] => {
    const { entries, bytes } = gauge
    const speed = `${formatBytes(rate.measure(bytes, elapsedMs))}/s`
    return [
      `restoring  ${formatCount(entries)} entries  ${formatBytes(bytes)}  ${speed}  ${formatSeconds(elapsedMs / 1000)}`,
    ]
  }
  return showProgress(lines, process.stderr, output)
}

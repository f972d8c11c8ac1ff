import type { Entry } from '@pipe-backup/source'
import type { CliContext } from '../cli-context.ts'
import { dumpLoader } from '../drill/load-dump.ts'
import { writeMetricsFile } from '../metrics/metrics-file.ts'
import { sayProgress } from '../run/with-progress.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { formatBytes, formatSeconds, plural } from '../terminal/quantities.ts'
import { recordDrill } from '../vault/drill-log.ts'
import { openReading, type Reading } from '../vault/open-reading.ts'

/**
 * `verify --drill`: restores the newest snapshot, or another, as a stream to nowhere, and checks every entry; dumps of databases are loaded into
 * the scratch servers that the configuration names. @returns the exit code
 */
export async function verifyDrill(
  cli: CliContext,
  spec: string,
  { tag, phraseFile }: { readonly tag: readonly string[]; readonly phraseFile?: string | undefined },
): Promise<number> {
  await using opened = await openReading(cli, spec, phraseFile, undefined, tag)
  return await drill(opened, cli)
}

/** The same, of a snapshot that is open. */
export async function drill(opened: Reading, cli: CliContext): Promise<number> {
  const { output, signal } = cli
  const started = performance.now()
  const { snapshot, reader, config } = opened
  const loadDump = dumpLoader(config, cli)
  const loaded: string[] = []
  const failures: string[] = []
  const progress = {
    entries: 0,
    bytes: 0,
    totalBytes: snapshot.sources.reduce((sum, of) => sum + of.bytes, 0),
  }
  using _lines = sayProgress(cli, progress)
  for await (const entry of reader.entries()) {
    signal.throwIfAborted()
    progress.entries++
    if (entry.type !== 'file') continue
    const path = Buffer.from(entry.path).toString()
    try {
      const pieces = counted(entry, (count) => {
        progress.bytes += count
      })
      if (await loadDump(path, pieces)) loaded.push(path)
    } catch (error) {
      signal.throwIfAborted()
      failures.push(`${escapeText(path)}: ${error instanceof Error ? errorLine(error) : String(error)}`)
    }
  }
  const { entries, bytes } = progress
  for (const failure of failures) output.error(failure)
  const failed = snapshot.sources.filter(({ state }) => state === 'failed').map(({ name }) => name)
  const exitCode = failures.length > 0 || failed.length > 0 ? 1 : opened.exitCode
  if (exitCode === 0) {
    await recordDrill(config.state, { time: new Date(), snapshot: snapshot.id, entries, bytes })
    await writeMetricsFile(config, cli)
  }
  const seconds = (performance.now() - started) / 1000
  const databases = loaded.length === 0 ? '' : `, ${plural(loaded.length, 'dump')} loaded`
  output.report(
    `drill ${exitCode === 1 ? 'FAILED' : 'passed'}: snapshot ${snapshot.id}, ${plural(entries, 'entry', 'entries')}, ${formatBytes(bytes)}${databases}, ${formatSeconds(seconds)}`,
    { snapshot: snapshot.id, entries, bytes, loaded, failures, seconds, exitCode },
  )
  return exitCode
}

const PIECE_BYTES = 256 * 1024

/** A file's bytes, to the last: the reader checks each chunk, and that the sizes add up. */
async function* counted(
  entry: Extract<Entry, { type: 'file' }>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const file = await entry.open()
  try {
    for (;;) {
      const piece = new Uint8Array(PIECE_BYTES)
      const got = await file.read(piece)
      if (got === 0) break
      onBytes(got)
      yield piece.subarray(0, got)
    }
    await file.finish()
  } finally {
    await file.close()
  }
}

import { listArchives, receiveArchive, selectArchive } from '@pipe-backup/archive'
import { learnRevokedHosts } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { formatBytes } from '../terminal/quantities.ts'
import { type Gauge, showGauge } from '../terminal/show-gauge.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openReadingSinks } from '../vault/open-config.ts'
import { openVaultKeys } from '../vault/vault-keys.ts'

/** `receive`: an archive on standard output, decrypted. @returns the exit code */
export async function receive(
  cli: CliContext,
  spec: string,
  options: { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  if (process.stdout.isTTY)
    throw new UsageError('an archive is not for a terminal', 'Send it somewhere: | tar -x, or > all.tar')
  if (output.json) throw new UsageError('--json: standard output is the archive')
  const config = await openConfig(cli)
  await using opened = await openReadingSinks(config, cli)
  const keys = await openVaultKeys(opened.sinks, cli, options.phraseFile)
  await learnRevokedHosts({ sinks: opened.sinks, keys, signal })
  const list = await listArchives({ sinks: opened.sinks, keys, signal })
  for (const [sink, error] of list.failures) output.warn(sinkLine(sink, errorLine(error)))
  const archive = selectArchive(list.archives, spec)
  output.note(`archive ${archive.id}, ${archive.time.toISOString()}, ${formatBytes(archive.sizeBytes)}`)
  // It is a little longer than what is in it.
  const gauge = { bytes: 0, totalBytes: archive.sizeBytes }
  const plain = receiveArchive({
    archive,
    identity: keys,
    signal,
    onProblem: (sink, error) => output.warn(sinkLine(sink, errorLine(error))),
  })
  using _display = showGauge(gauge, cli, () => ['receiving'])
  await output.stream(counted(plain, gauge), signal)
  return 0
}

async function* counted(plain: AsyncIterable<Uint8Array>, gauge: Gauge): AsyncGenerator<Uint8Array> {
  for await (const piece of plain) {
    yield piece
    gauge.bytes += piece.length
  }
}

import { type ArchiveInfo, listArchives } from '@pipe-backup/archive'
import { learnRevokedHosts } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { formatBytes, formatTime } from '../terminal/quantities.ts'
import { openListing } from '../vault/open-listing.ts'

/** `archives`: what there is, oldest first, and which sinks hold it. @returns the exit code */
export async function archives(
  cli: CliContext,
  options: { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  await using opened = await openListing(cli, options.phraseFile)
  const { sinks, keys } = opened
  await learnRevokedHosts({ sinks, keys, signal })
  const { archives: found, failures, badSums } = await listArchives({ sinks, keys, signal })
  for (const [sink, error] of failures) output.warn(sinkLine(sink, errorLine(error)))
  for (const { sink, error } of badSums) output.warn(sinkLine(sink, errorLine(error)))
  for (const archive of found) output.printJson(toJson(archive))
  output.print(found.length === 0 ? 'no archive yet' : table(found).join('\n'))
  return 0
}

function toJson({ id, time, name, isTar, sizeBytes, sha256, hostId, holders }: ArchiveInfo): object {
  return {
    id,
    time: time.toISOString(),
    name,
    content: isTar ? 'tar' : 'bytes',
    bytes: sizeBytes,
    sha256,
    hostId,
    sinks: holders.map((sink) => sink.name),
  }
}

function table(found: readonly ArchiveInfo[]): readonly string[] {
  const width = Math.max(...found.map(({ id }) => id.length))
  return [
    `${'id'.padEnd(width)}  ${'time'.padEnd(19)}  ${'size'.padStart(10)}  sinks`,
    ...found.map(({ id, time, sizeBytes, holders }) => {
      const sinks = holders.length === 0 ? 'intact on none' : holders.map(({ name }) => name).join(', ')
      return `${id.padEnd(width)}  ${formatTime(time)}  ${formatBytes(sizeBytes).padStart(10)}  ${sinks}`
    }),
  ]
}

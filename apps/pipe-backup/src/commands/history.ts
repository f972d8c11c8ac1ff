import { type HostHistory, type PathVersion, pathHistory } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { historyLines, versionToJson } from '../find/history-lines.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { errorLine } from '../terminal/error-line.ts'
import { plural } from '../terminal/quantities.ts'
import { openSnapshots, warnOfUnreadable } from '../vault/open-reading.ts'

/** `history`: how a path was in all the snapshots. @returns the exit code */
export async function history(
  cli: CliContext,
  argument: string,
  options: { readonly tag?: readonly string[] | undefined; readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  const path = toSnapshotPath(argument)
  await using opened = await openSnapshots(cli, options.phraseFile, options.tag)
  const { sinks, keys, snapshots, onProblem } = opened
  let unread = false
  const hosts = await pathHistory({
    sinks,
    keys,
    snapshots,
    path,
    signal,
    onProblem,
    onUnreadable: (error, holders) => {
      unread = true
      const where = `${plural(holders.length, 'snapshot')}, ${holders[0]?.id} the first`
      output.error(`the path can't be looked for in ${where}: ${errorLine(error)}`)
    },
  })
  for (const host of hosts) {
    for (const version of host.versions) output.printJson(versionToJson(host, version, path))
    for (const line of historyLines(host, hosts)) output.print(line)
  }
  const directory = hosts.find(({ versions }) => versions.some(isDirectory))
  if (directory) output.print(diffHint(directory))
  const exitCode = warnOfUnreadable(opened.unreadable, cli)
  return unread ? 1 : exitCode
}

function isDirectory(version: PathVersion): boolean {
  return version.change !== 'removed' && (version.entry?.type ?? 'directory') === 'directory'
}

function diffHint({ versions }: HostHistory): string {
  const there = versions.filter(isDirectory).flatMap(({ snapshots }) => snapshots)
  const [first, last] = [there[0]?.id ?? 'A', there.at(-1)?.id ?? 'B']
  const example = first === last ? 'diff latest~1 latest' : `diff ${first} ${last}`
  return `a directory: this is when it was there; \`pipe-backup ${example}\` shows what changed in it`
}

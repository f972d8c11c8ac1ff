import { type FoundEntry, findEntries, type SnapshotInfo, selectSnapshot } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { parsePathPattern } from '../find/path-pattern.ts'
import { snapshotRanges } from '../find/snapshot-ranges.ts'
import { batchLines } from '../terminal/batch-lines.ts'
import { errorLine } from '../terminal/error-line.ts'
import { entryToJson, longLine } from '../terminal/long-listing.ts'
import { formatTime, plural } from '../terminal/quantities.ts'
import { openSnapshots, warnOfUnreadable } from '../vault/open-reading.ts'

export interface FindOptions {
  /** Search this one alone. */
  readonly snapshot?: string | undefined
  /** Only snapshots with any of these. */
  readonly tag?: readonly string[] | undefined
  readonly phraseFile?: string | undefined
}

/** `find`: which entries match, and which snapshots have them. @returns the exit code */
export async function find(cli: CliContext, text: string, options: FindOptions): Promise<number> {
  const { output, signal } = cli
  const pattern = parsePathPattern(text)
  await using opened = await openSnapshots(cli, options.phraseFile, options.tag)
  const { sinks, keys, onProblem } = opened
  const { snapshot } = options
  const searched = snapshot === undefined ? opened.snapshots : [selectSnapshot(opened.snapshots, snapshot)]
  let unread = false
  const found = findEntries({
    sinks,
    keys,
    snapshots: searched,
    ...pattern,
    signal,
    onProblem,
    onUnreadable: (error, source, holders) => {
      unread = true
      const where = `${plural(holders.length, 'snapshot')}, ${holders[0]?.id} the first`
      output.error(`a part of source "${source}" can't be searched in ${where}: ${errorLine(error)}`)
    },
  })
  let any = false
  async function* lines(): AsyncGenerator<string> {
    for await (const one of found) {
      any = true
      yield output.json ? JSON.stringify(foundToJson(one)) : foundLines(one, searched)
    }
  }
  await output.stream(batchLines(lines()), signal)
  if (!any && !unread) output.warn(`nothing matches in ${plural(searched.length, 'snapshot')}`)
  const exitCode = snapshot === undefined ? warnOfUnreadable(opened.unreadable, cli) : 0
  return unread ? 1 : exitCode
}

function foundToJson({ entry, snapshots }: FoundEntry): Readonly<Record<string, unknown>> {
  return { ...entryToJson(entry), snapshots: snapshots.map(({ id }) => id) }
}

function foundLines({ source, entry, snapshots }: FoundEntry, all: readonly SnapshotInfo[]): string {
  const ranges = snapshotRanges(source, all, snapshots).map(({ first, last, count }) =>
    count === 1
      ? `    in ${shown(first)}`
      : `    in ${shown(first)} to ${shown(last)}: ${plural(count, 'snapshot')}`,
  )
  return [longLine(entry), ...ranges].join('\n')
}

function shown({ id, time }: SnapshotInfo): string {
  return `${id} (${formatTime(time)})`
}

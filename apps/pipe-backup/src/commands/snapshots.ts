import {
  isHeld,
  listSnapshots,
  type SnapshotInfo,
  type SnapshotMarks,
  type UnreadableSnapshot,
} from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { nothingMatches, type SnapshotFilters, snapshotFilter } from '../find/filter-snapshots.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { formatBytes, formatTime } from '../terminal/quantities.ts'
import { openListing } from '../vault/open-listing.ts'
import { warnOfUnreadable } from '../vault/open-reading.ts'

/** `snapshots`: what there is, or what of it matches, oldest first, and which sinks hold it. @returns the exit code: 3 where some can't be opened */
export async function snapshots(
  cli: CliContext,
  options: SnapshotFilters & { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output, signal } = cli
  const isWanted = snapshotFilter(options)
  await using opened = await openListing(cli, options.phraseFile)
  const { sinks, keys } = opened
  const unreadable: UnreadableSnapshot[] = []
  const listed = await listSnapshots({
    sinks,
    keys,
    withMarks: true,
    signal,
    onProblem: (error) => output.warn(errorLine(error)),
    onUnreadable: (snapshot) => unreadable.push(snapshot),
  })
  const order = sinks.map(({ name }) => name)
  const found = listed.filter(isWanted).map((snapshot) => ({
    ...snapshot,
    sinks: snapshot.sinks.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
  }))
  for (const snapshot of found) output.printJson(snapshotToJson(snapshot))
  if (listed.length === 0) output.print('no snapshot yet')
  else if (found.length === 0) output.warn(nothingMatches(listed))
  else output.print(snapshotTable(found).join('\n'))
  return warnOfUnreadable(unreadable, cli)
}

/** A snapshot for programs. */
export function snapshotToJson(snapshot: SnapshotInfo): Readonly<Record<string, unknown>> {
  const { id, key, time, host, hostId, sources, sinks, marks } = snapshot
  return {
    id,
    time: time.toISOString(),
    host,
    hostId,
    key,
    sources: sources.map(({ name, state, entries, bytes, problems, error }) => ({
      name,
      state,
      entries,
      bytes,
      problems,
      error,
    })),
    sinks,
    ...(marks && { pinned: isHeld(marks), tags: marks.tags }),
  }
}

function snapshotTable(found: readonly SnapshotInfo[]): readonly string[] {
  const hostWidth = Math.max(4, ...found.map(({ host }) => escapeText(host).length))
  const rows = found.map(({ id, time, host, sources, sinks, marks }) => {
    const bytes = sources.reduce((sum, source) => sum + source.bytes, 0)
    const names = sources.map(({ name, state }) => (state === 'ok' ? name : `${name} (${state})`)).join(', ')
    return `${id}  ${formatTime(time)}  ${escapeText(host).padEnd(hostWidth)}  ${formatBytes(bytes).padStart(10)}  ${sinks.join(', ')}  [${names}]${marksOf(marks)}`
  })
  return [
    `${'id'.padEnd(16)}  ${'time'.padEnd(19)}  ${'host'.padEnd(hostWidth)}  ${'size'.padStart(10)}  sinks  [sources]`,
    ...rows,
  ]
}

/** Its pin and its tags, where it has any. */
function marksOf(marks: SnapshotMarks | undefined): string {
  const pinned = marks?.pinned ? ['pinned'] : marks?.isUnclear ? ['perhaps pinned: a mark is damaged'] : []
  return [...pinned, ...(marks?.tags ?? []).map((tag) => `#${escapeText(tag)}`)]
    .map((mark) => `  ${mark}`)
    .join('')
}

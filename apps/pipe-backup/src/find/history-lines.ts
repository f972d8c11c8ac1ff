import type { HostHistory, ListedEntry, PathVersion, SnapshotInfo } from '@pipe-backup/vault'
import { escapeText } from '../terminal/escape-bytes.ts'
import { entryToJson, jsonPath, listedTime, listedType, suffix } from '../terminal/long-listing.ts'
import { formatBytes, formatTime, plural } from '../terminal/quantities.ts'
import { changeNotes } from './difference-lines.ts'

/**
 * The history of a path as a table: a line for each version, and one where it was removed.
 * @param all - of all hosts: where there are several, each is named
 */
export function* historyLines(
  { host, hostId, versions }: HostHistory,
  all: readonly HostHistory[],
): Generator<string> {
  if (all.length > 1) {
    const isAmbiguous = all.some((other) => other.host === host && other.hostId !== hostId)
    yield `host ${escapeText(host)}${isAmbiguous ? ` (${hostId})` : ''}`
  }
  yield row('since', 'change', 'mode', 'size', 'modified', 'restore from', 'snapshots')
  for (const [i, version] of versions.entries()) yield versionLine(version, versions[i - 1])
}

/** A version for programs. */
export function versionToJson(
  { host, hostId }: HostHistory,
  version: PathVersion,
  path: Uint8Array,
): Readonly<Record<string, unknown>> {
  const { change, snapshots } = version
  const [first, last] = endsOf(snapshots)
  const about = {
    host,
    hostId,
    change,
    since: first?.time.toISOString(),
    until: last?.time.toISOString(),
    snapshots: snapshots.map(({ id }) => id),
  }
  if (version.change === 'removed') return { ...jsonPath('path', path), ...about, certain: version.isCertain }
  const entry = version.entry ? entryToJson(version.entry) : { ...jsonPath('path', path), type: 'directory' }
  return { ...entry, ...about, parts: version.parts, snapshot: last?.id }
}

function versionLine(version: PathVersion, before: PathVersion | undefined): string {
  const [first, last] = endsOf(version.snapshots)
  const since = first ? formatTime(first.time) : ''
  if (version.change === 'removed') {
    const note = version.isCertain ? '' : '  (perhaps: the source is incomplete)'
    return row(since, 'removed', '', '', '', '', `${countOf(version.snapshots)}${note}`)
  }
  const { entry, change, parts } = version
  const earlier = before?.change === 'removed' ? undefined : before?.entry
  const changes = earlier && entry ? changeNotes(earlier, entry, parts) : parts.join(', ')
  const snapshots = `${countOf(version.snapshots)}${changes === '' ? '' : `  (${changes})`}`
  const mark = entry ? suffix(entry).trim() : ''
  const of = entry ? [listedType(entry), sizeOf(entry), listedTime(entry.mtimeNs)] : ['d', '-', '']
  const [mode = '', size = '', modified = ''] = of
  return row(
    since,
    change,
    mode,
    size,
    modified,
    last?.id ?? '',
    `${snapshots}${mark === '' ? '' : `  ${mark}`}`,
  )
}

function row(
  since: string,
  change: string,
  mode: string,
  size: string,
  modified: string,
  id: string,
  snapshots: string,
): string {
  return [
    since.padEnd(19),
    change.padEnd(7),
    mode.padEnd(10),
    size.padStart(10),
    modified.padEnd(19),
    id.padEnd(16),
    snapshots,
  ].join('  ')
}

function countOf(snapshots: readonly SnapshotInfo[]): string {
  const [, last] = endsOf(snapshots)
  const count = plural(snapshots.length, 'snapshot')
  return last && snapshots.length > 1 ? `${count}, to ${formatTime(last.time)}` : count
}

function endsOf(snapshots: readonly SnapshotInfo[]): [SnapshotInfo | undefined, SnapshotInfo | undefined] {
  return [snapshots[0], snapshots.at(-1)]
}

function sizeOf(entry: ListedEntry): string {
  return entry.type === 'file' && entry.size !== undefined ? formatBytes(entry.size) : '-'
}

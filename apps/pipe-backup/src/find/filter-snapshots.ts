import type { SnapshotInfo } from '@pipe-backup/vault'
import { escapeText } from '../terminal/escape-bytes.ts'
import { timeOption } from '../time-option.ts'

/** Which snapshots are wanted: those that are all of it. */
export interface SnapshotFilters {
  /** Any of these, well or not. */
  readonly source?: readonly string[] | undefined
  /** Any of these: names, or ids or the first digits of one, at least four. */
  readonly host?: readonly string[] | undefined
  /** Any of these. */
  readonly tag?: readonly string[] | undefined
  readonly since?: string | undefined
  readonly before?: string | undefined
}

/** @throws UsageError for what is no time */
export function snapshotFilter(filters: SnapshotFilters): (snapshot: SnapshotInfo) => boolean {
  const { source = [], host = [], tag = [] } = filters
  const since = timeOption('--since', filters.since)
  const before = timeOption('--before', filters.before)
  const isHost = ({ host: name, hostId }: SnapshotInfo) =>
    host.some((spec) => name === spec || (spec.length >= 4 && hostId.startsWith(spec)))
  const hasSource = ({ sources }: SnapshotInfo) => sources.some(({ name }) => source.includes(name))
  return (snapshot) =>
    (source.length === 0 || hasSource(snapshot)) &&
    (host.length === 0 || isHost(snapshot)) &&
    (tag.length === 0 || tag.some((one) => snapshot.marks?.tags.includes(one))) &&
    (!since || snapshot.time >= since) &&
    (!before || snapshot.time < before)
}

/** What there is to ask for instead of what nothing matches. */
export function nothingMatches(snapshots: readonly SnapshotInfo[]): string {
  const hosts = new Set(snapshots.map(({ host }) => host))
  const sources = new Set(snapshots.flatMap((snapshot) => snapshot.sources.map(({ name }) => name)))
  const count =
    snapshots.length === 1
      ? 'the only snapshot does not match'
      : `none of ${snapshots.length} snapshots matches`
  const tags = new Set(snapshots.flatMap(({ marks }) => marks?.tags ?? []))
  const tagged = tags.size === 0 ? '' : `; tags are ${[...tags].map(escapeText).join(', ')}`
  return `${count}: hosts are ${[...hosts].join(', ')}; sources are ${[...sources].join(', ')}${tagged}`
}

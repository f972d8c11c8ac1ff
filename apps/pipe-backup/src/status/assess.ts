import type { SinkStatus, SnapshotInfo, VaultStatus } from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'

/** A source as the newest snapshot that has it says. */
export interface SourceStatus {
  readonly name: string
  /** `none`: no snapshot has it yet. */
  readonly state: 'ok' | 'incomplete' | 'failed' | 'none'
  /** When it was read last, complete. */
  readonly lastGood?: Date | undefined
  readonly entries: number
  readonly bytes: number
  readonly problems: number
  readonly error?: string | undefined
}

/** The newest snapshot of this host that holds every source, complete, and is on enough sinks, as far as they answer. */
export function lastGoodOf(
  { snapshots, sinks }: VaultStatus,
  { copies, sources }: LoadedConfig,
  hostId: string | undefined,
): SnapshotInfo | undefined {
  const answering = sinks.filter(({ state }) => state !== 'failed').length
  return ofHost(snapshots, hostId).findLast(
    (snapshot) =>
      snapshot.sinks.length >= Math.min(copies, answering) &&
      sources.every(({ name }) =>
        snapshot.sources.some((source) => source.name === name && source.state === 'ok'),
      ),
  )
}

/** @param hostId - of the host's key, never its name, which others may have too; without a key, of all */
function ofHost(snapshots: readonly SnapshotInfo[], hostId: string | undefined): readonly SnapshotInfo[] {
  return hostId === undefined ? snapshots : snapshots.filter((snapshot) => snapshot.hostId === hostId)
}

/** The configured sources, as this host's snapshots have them. */
export function sourcesOf(
  { snapshots }: VaultStatus,
  { sources }: LoadedConfig,
  hostId: string | undefined,
): SourceStatus[] {
  const own = ofHost(snapshots, hostId).toReversed()
  return sources.map(({ name }) => {
    const taken = own.flatMap(({ time, sources: all }) => {
      const source = all.find((candidate) => candidate.name === name)
      return source
        ? [{ ...source, time: source.takenAt === undefined ? time : new Date(source.takenAt) }]
        : []
    })
    const good = taken.find(({ state }) => state === 'ok')
    const [newest] = taken
    if (!newest) return { name, state: 'none', entries: 0, bytes: 0, problems: 0 }
    const { state, error } = newest
    const { entries, bytes, problems } = taken.find((source) => source.state !== 'failed') ?? newest
    return {
      name,
      state,
      lastGood: good?.time,
      entries,
      bytes,
      problems,
      error,
    }
  })
}

/**
 * 0: all is well; 1: fewer sinks than `copies` hold this host's newest snapshot, or there is none; 3: something needs a look.
 * @param worries - whether anything else is known to be bad
 */
export function exitCodeOf(
  status: VaultStatus,
  { copies }: LoadedConfig,
  hostId: string | undefined,
  worries: boolean,
): 0 | 1 | 3 {
  const newest = ofHost(status.snapshots, hostId).at(-1)
  const isWell = ({ state }: SinkStatus): boolean => state !== 'failed' && state !== 'damaged'
  const held = status.sinks.filter((sink) => isWell(sink) && newest?.sinks.includes(sink.name)).length
  if (!newest || held < copies) return 1
  return worries || status.sinks.some(({ state }) => state !== 'ok') ? 3 : 0
}

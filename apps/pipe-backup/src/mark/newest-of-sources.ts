import type { SnapshotInfo } from '@pipe-backup/vault'

/** A source of a host, and the newest snapshot that has it complete; where none has, the newest that has a part of it. */
export interface NewestReading {
  readonly source: string
  readonly host: string
  /** The snapshot's id. */
  readonly id: string
}

/** The newest good reading of every source of every host. @param snapshots - oldest first */
export function newestOfSources(snapshots: readonly SnapshotInfo[]): readonly NewestReading[] {
  const newest = new Map<string, NewestReading & { readonly isComplete: boolean }>()
  for (const { id, host, hostId, sources } of snapshots) {
    for (const { name, state } of sources) {
      const key = `${hostId}/${name}`
      const isComplete = state === 'ok'
      if (state === 'failed' || (newest.get(key)?.isComplete && !isComplete)) continue
      newest.set(key, { source: name, host, id, isComplete })
    }
  }
  return [...newest.values()].map(({ source, host, id }) => ({ source, host, id }))
}

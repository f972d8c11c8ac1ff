import type { SnapshotInfo } from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'
import { sourceOfPath } from '../snapshot-path.ts'
import { UsageError } from '../usage-error.ts'

export interface PutBack {
  /** What is restored; each path begins with its source's name. */
  readonly paths: readonly Uint8Array[]
  /** Sources of the snapshot that have no place in the file system. */
  readonly leftOut: readonly string[]
}

/**
 * What `--in-place` restores: files go back to the paths that they were read from. What is no `files` source, such as a dump, was read from no path.
 * @param paths - that were asked for; undefined for all
 * @throws UsageError where nothing of it has a place
 */
export function choosePutBack(
  paths: readonly Uint8Array[] | undefined,
  { sources }: Pick<SnapshotInfo, 'sources'>,
  config: Pick<LoadedConfig, 'sources'>,
): PutBack {
  const types = new Map(config.sources.map(({ name, type }) => [name, type]))
  // Who names a source that the configuration does not have knows what it is of.
  const hasPlace = (name: string): boolean =>
    types.get(name) === 'files' || (paths !== undefined && !types.has(name))
  const wanted = paths ?? sources.map(({ name }) => Buffer.from(name))
  const chosen = wanted.filter((path) => hasPlace(sourceOfPath(path)))
  const leftOut = [...new Set(wanted.map(sourceOfPath).filter((name) => !hasPlace(name)))]
  if (chosen.length === 0)
    throw new UsageError(
      `${leftOut.join(', ')}: not of a files source of the configuration, so it has no place to go back to`,
      'Restore it with --to DIR; of a dump: pipe-backup cat latest database/shop.sql | mysql shop',
    )
  return { paths: chosen, leftOut }
}

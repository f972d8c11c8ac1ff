import type { ArchiveInfo } from '@pipe-backup/archive'
import { type Policy, type Retention, retain } from '@pipe-backup/retention'

/** An archive as retention knows it: each name of each host is thinned out as if it were alone. */
export function asSnapshot({
  id,
  time,
  storedAt,
  hostId,
  name,
}: ArchiveInfo): Parameters<typeof retain>[0][number] {
  return { id, time, storedAt, hostId, sources: [{ name, state: 'ok' }] }
}

/** Which archives `keep` keeps. Without a policy, or without any archive, all stay. */
export function retainArchives(archives: readonly ArchiveInfo[], policy: Policy | undefined): Retention {
  if (policy === undefined || archives.length === 0)
    return { kept: new Map(archives.map(({ id }) => [id, []])), removed: [] }
  return retain(archives.map(asSnapshot), policy)
}

import type { RetentionSnapshot } from './retain.ts'

/**
 * Why a removal should be confirmed by somebody: it takes the last of a source of a host, or more than half of what is there.
 * @param removed - ids
 * @param options - `routineKept`: how many snapshots the same policy left when it was applied last: as long as it leaves at
 * least half as many again, a large part may go each time, such as the hours of yesterday; `what`: what they are called, default snapshots
 * @returns a clause for people, or undefined where nothing is remarkable
 */
export function massRemoval(
  snapshots: readonly RetentionSnapshot[],
  removed: ReadonlySet<string>,
  {
    routineKept,
    what = 'snapshots',
  }: { readonly routineKept?: number | undefined; readonly what?: string | undefined } = {},
): string | undefined {
  const left = snapshots.filter(({ id }) => !removed.has(id))
  const sourcesLeft = sourcesOf(left)
  const lost = [...sourcesOf(snapshots)]
    .filter(([source]) => !sourcesLeft.has(source))
    .map(([, shown]) => shown)
  if (lost.length > 0) return `it would remove the last copy of ${lost.join(', ')}`
  const isRoutine = routineKept !== undefined && left.length * 2 >= routineKept
  const gone = snapshots.length - left.length
  return gone * 2 <= snapshots.length || isRoutine
    ? undefined
    : `it would remove ${gone} of ${snapshots.length} ${what}`
}

/** Every source that some snapshot has anything of, by host and name, as people see it. */
function sourcesOf(snapshots: readonly RetentionSnapshot[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const { hostId, sources } of snapshots) {
    for (const { name, state } of sources)
      if (state !== 'failed') found.set(`${hostId}/${name}`, `source "${name}" of host ${hostId.slice(0, 8)}`)
  }
  return found
}

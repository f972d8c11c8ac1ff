import type { Retention } from '@pipe-backup/retention'
import { isHeld, type SnapshotInfo } from '@pipe-backup/vault'

/** What a policy keeps, and what is pinned: that stays whatever the policy says, and takes the place of no other snapshot. */
export function keepPinned(retention: Retention, snapshots: readonly SnapshotInfo[]): Retention {
  const held = new Map(
    snapshots.flatMap(({ id, marks }) =>
      isHeld(marks) ? [[id, marks?.pinned ? 'pinned' : 'a damaged mark, perhaps a pin'] as const] : [],
    ),
  )
  if (held.size === 0) return retention
  const kept = new Map([...retention.kept].map(([id, reasons]) => [id, [...reasons]]))
  for (const [id, reason] of held) kept.set(id, [...(kept.get(id) ?? []), reason])
  return { kept, removed: retention.removed.filter((id) => !held.has(id)) }
}

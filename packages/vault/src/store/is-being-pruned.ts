import type { Replica } from './replica.ts'
import { SESSION_STALE_MS, type SessionRecord } from './session.ts'
import { sinkTime } from './sink-time.ts'

/**
 * Whether somebody else prunes a sink, as its sessions say.
 * @param ownSession - id of the session that is ours, and is on the sink
 * @returns who it is @throws the abort's reason
 */
export async function isBeingPruned(
  replica: Replica,
  ownSession: string,
): Promise<SessionRecord | undefined> {
  const nowMs = sinkTime(replica, ownSession)
  for (const [id, session] of await replica.readSessions()) {
    if (id === ownSession || session.kind !== 'prune') continue
    if (nowMs - session.storedAt.getTime() <= SESSION_STALE_MS) return session
  }
  return undefined
}

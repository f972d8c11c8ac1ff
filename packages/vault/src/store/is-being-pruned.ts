import { getObject } from './read-sink.ts'
import type { Replica } from './replica.ts'
import { openSession, SESSION_STALE_MS, type SessionRecord } from './session.ts'
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
  const { indexKey, signal } = replica.context
  const nowMs = sinkTime(replica, ownSession)
  for (const [id, { storedAt }] of replica.listing.sessions) {
    if (id === ownSession || nowMs - storedAt.getTime() > SESSION_STALE_MS) continue
    const key = `sessions/${id}`
    try {
      const object = await getObject(replica.sink, key, signal)
      const record = openSession(indexKey, key, object)
      if (record?.kind === 'prune') return record
    } catch {
      signal?.throwIfAborted()
      // It has just ended.
    }
  }
  return undefined
}

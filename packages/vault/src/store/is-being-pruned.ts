import { getObject } from './read-sink.ts'
import { openSession, SESSION_STALE_MS, type SessionRecord } from './session.ts'
import { sinkTime } from './sink-time.ts'
import type { SinkView } from './sink-view.ts'

/**
 * Whether somebody else prunes a sink, as its sessions say.
 * @param ownSession - id of the session that is ours, and is on the sink
 * @returns who it is @throws the abort's reason
 */
export async function isBeingPruned(
  view: SinkView,
  indexKey: Uint8Array,
  ownSession: string,
  signal?: AbortSignal,
): Promise<SessionRecord | undefined> {
  const nowMs = sinkTime(view, ownSession)
  for (const [id, { storedAt }] of view.sessions) {
    if (id === ownSession || nowMs - storedAt.getTime() > SESSION_STALE_MS) continue
    const key = `sessions/${id}`
    try {
      const object = await getObject(view.sink, key, signal)
      const record = openSession(indexKey, key, object)
      if (record?.kind === 'prune') return record
    } catch {
      signal?.throwIfAborted()
      // It has just ended.
    }
  }
  return undefined
}

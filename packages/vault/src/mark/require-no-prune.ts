import type { ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { hasCode } from '../has-code.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { openSession, SESSION_STALE_MS, sessionIdOf } from '../store/session.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'

/** As it was listed before it was marked. */
export type MarkedSnapshot = Pick<SnapshotInfo, 'id' | 'key' | 'sinks'>

/**
 * Makes sure that a prune which is under way has not removed a snapshot without seeing its new mark. A prune that begins later sees it: it
 * stores its session before it lists the marks.
 * @param mark - its key, as it was just stored: what time it is, is when the sink says that this was
 * @throws VaultError `busy` while one prunes; `missing` where one has removed it; SinkError; the abort's reason
 */
export async function requireNoPrune(
  sink: Sink,
  { id, key: snapshotKey, sinks }: MarkedSnapshot,
  mark: string,
  keys: ObjectKeys,
  signal: AbortSignal | undefined,
): Promise<void> {
  const nowMs = (await sink.head(mark, { signal }))?.storedAt.getTime()
  const isStale = (storedAt: Date): boolean =>
    nowMs !== undefined && Math.abs(nowMs - storedAt.getTime()) > SESSION_STALE_MS
  for await (const { key, storedAt } of listObjects(sink, 'sessions/', signal)) {
    if (sessionIdOf(key) === undefined || isStale(storedAt)) continue
    const object = await getObject(sink, key, signal).catch((error: unknown) => {
      // One that has ended since.
      if (!hasCode(error, 'not-found')) throw error
    })
    signal?.throwIfAborted()
    const session = object && openSession(keys, key, object)
    if (session?.kind !== 'prune') continue
    const message = `sink "${sink.name}": the mark is stored, but host ${session.host} is pruning there and may not have seen it`
    throw new VaultError('busy', message, {
      sink: sink.name,
      hint: `Look when that is through whether snapshot ${id} is still there: pipe-backup snapshots`,
    })
  }
  if (!sinks.includes(sink.name) || (await sink.head(snapshotKey, { signal }))) return
  throw new VaultError('missing', `sink "${sink.name}": ${snapshotKey} was removed while it was marked`, {
    sink: sink.name,
    key: snapshotKey,
    hint: 'A prune has removed it: `pipe-backup snapshots` shows which sinks still have it.',
  })
}

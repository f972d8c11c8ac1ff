import { setTimeout as pause } from 'node:timers/promises'
import type { Sink } from '@pipe-backup/sink'
import { packNameOf } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { isTrashKey, openTrash, type Trash } from '../format/trash-object.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { isGrantKey } from './grant.ts'
import { getObject, listObjects } from './read-sink.ts'
import { sessionIdOf } from './session.ts'

export interface StoredObject {
  readonly sizeBytes: number
  /** By the sink's own clock. */
  readonly storedAt: Date
}

/** What a sink holds. */
export interface SinkView {
  readonly sink: Sink
  /** By name. Empty and hopelessly short objects count as absent. */
  readonly packs: Map<string, StoredObject>
  /** By key; empty ones count as absent. */
  readonly indexes: Map<string, StoredObject>
  /** By key; empty ones count as absent. */
  readonly grants: Map<string, StoredObject>
  /** By key. */
  readonly snapshots: Map<string, StoredObject>
  /** By key. */
  readonly trash: ReadonlyMap<string, Trash & StoredObject>
  /** By id. */
  readonly sessions: ReadonlyMap<string, StoredObject>
  /** Packs that a prune has condemned: nothing new may rest on them. */
  readonly condemned: ReadonlySet<string>
  /** Ids of snapshots that a prune has removed. */
  readonly removed: ReadonlySet<string>
  /** Keys of objects that are too short to be anything. */
  readonly truncated: ReadonlySet<string>
}

export interface ViewOptions {
  readonly indexKey: Uint8Array
  readonly signal?: AbortSignal | undefined
  /** Called with each trash object that does not open. Without it the sink can't be used: what is condemned there is not known. */
  readonly onBadTrash?: ((key: string, error: VaultError) => void) | undefined
}

const MIN_PACK_BYTES = 100
/** A listing that still shows what is gone comes late, or is wrong: it is not asked for for ever. */
const MAX_LISTINGS = 6
const RELIST_MS = 25

/**
 * Lists a sink. Sessions first: one that is seen to have ended has shown its snapshot before. Snapshots before packs: what a
 * snapshot needs was there before it.
 * @throws SinkError; VaultError `corrupt`, `unsupported-version` for a trash object that does not open
 */
export async function viewSink(sink: Sink, options: ViewOptions): Promise<SinkView> {
  const { signal } = options
  const truncated = new Set<string>()
  const sessions = new Map<string, StoredObject>()
  for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'sessions/', signal)) {
    const id = sessionIdOf(key)
    if (id !== undefined) sessions.set(id, { sizeBytes, storedAt })
  }
  const trash = await readTrash(sink, options)
  const snapshots = new Map<string, StoredObject>()
  for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'snapshots/', signal)) {
    if (snapshotIdOf(key) === undefined) continue
    if (sizeBytes === 0) truncated.add(key)
    else snapshots.set(key, { sizeBytes, storedAt })
  }
  const indexes = new Map<string, StoredObject>()
  for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'index/', signal)) {
    if (sizeBytes === 0) truncated.add(key)
    else indexes.set(key, { sizeBytes, storedAt })
  }
  const grants = new Map<string, StoredObject>()
  for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'grants/', signal)) {
    if (!isGrantKey(key)) continue
    if (sizeBytes === 0) truncated.add(key)
    else grants.set(key, { sizeBytes, storedAt })
  }
  const packs = new Map<string, StoredObject>()
  for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'packs/', signal)) {
    const name = packNameOf(key)
    if (name === undefined) continue
    if (sizeBytes < MIN_PACK_BYTES) truncated.add(key)
    else packs.set(name, { sizeBytes, storedAt })
  }
  return {
    sink,
    packs,
    indexes,
    grants,
    snapshots,
    trash,
    sessions,
    condemned: new Set([...trash.values()].flatMap((object) => object.packs)),
    removed: new Set([...trash.values()].flatMap((object) => object.snapshots)),
    truncated,
  }
}

async function readTrash(sink: Sink, options: ViewOptions): Promise<Map<string, Trash & StoredObject>> {
  const reading = { ...(options.signal && { signal: options.signal }) }
  for (let listings = 1; ; listings++) {
    const trash = new Map<string, Trash & StoredObject>()
    const gone = new Map<string, unknown>()
    for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'trash/', options.signal)) {
      if (!isTrashKey(key)) continue
      try {
        const opened = openTrash(options.indexKey, key, await getObject(sink, key, options.signal))
        trash.set(key, { ...opened, sizeBytes, storedAt })
      } catch (cause) {
        if (hasCode(cause, 'not-found')) gone.set(key, cause)
        else reportBadTrash(sink, key, cause, options)
      }
    }
    if (gone.size === 0) return trash
    // What is gone has been replaced by another, which this listing may have been too early for.
    if (listings < MAX_LISTINGS) {
      if (listings > 1) await pause(RELIST_MS * 2 ** listings, undefined, reading)
      continue
    }
    for (const [key, cause] of gone) {
      const message = `${key} is listed each time, and is not there`
      reportBadTrash(sink, key, new VaultError('missing', message, { key, cause }), options)
    }
    return trash
  }
}

function reportBadTrash(sink: Sink, key: string, cause: unknown, { onBadTrash }: ViewOptions): void {
  const isBad = cause instanceof VaultError
  // What the sink itself knows to be damaged, or has more bytes than it can have.
  if (!isBad && !hasCode(cause, 'corrupt')) throw cause
  const code = isBad ? cause.code : 'corrupt'
  const why = isBad ? cause.message : `${key} is damaged`
  const error = new VaultError(code, `sink "${sink.name}": ${why}`, {
    sink: sink.name,
    key,
    cause,
    hint: 'Repair it with `pipe-backup heal`.',
  })
  if (!onBadTrash) throw error
  onBadTrash(key, error)
}

import { setTimeout as pause } from 'node:timers/promises'
import type { ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { isTrashKey, openTrash, type Trash } from '../format/trash-object.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import type { StoredObject } from './listing.ts'
import { getObject, listObjects } from './read-sink.ts'

/** A listing that still shows what is gone comes late, or is wrong: it is not asked for for ever. */
const MAX_LISTINGS = 6
const RELIST_MS = 25

interface ReadTrash {
  readonly trash: Map<string, Trash & StoredObject>
  /** Objects that do not open, by key, and why: what they condemned is not known. */
  readonly bad: Map<string, VaultError>
}

/** Reads all the trash of a sink. @throws SinkError */
export async function readTrash(
  sink: Sink,
  keys: ObjectKeys,
  signal: AbortSignal | undefined,
): Promise<ReadTrash> {
  for (let listings = 1; ; listings++) {
    const trash = new Map<string, Trash & StoredObject>()
    const bad = new Map<string, VaultError>()
    const gone = new Map<string, unknown>()
    for await (const { key, sizeBytes, storedAt } of listObjects(sink, 'trash/', signal)) {
      if (!isTrashKey(key)) continue
      try {
        const opened = openTrash(keys, key, await getObject(sink, key, signal))
        trash.set(key, { ...opened, sizeBytes, storedAt })
      } catch (cause) {
        if (hasCode(cause, 'not-found')) gone.set(key, cause)
        else bad.set(key, whyBad(sink, key, cause))
      }
    }
    if (gone.size === 0) return { trash, bad }
    // What is gone has been replaced by another, which this listing may have been too early for.
    if (listings < MAX_LISTINGS) {
      if (listings > 1) await pause(RELIST_MS * 2 ** listings, undefined, { signal })
      continue
    }
    for (const [key, cause] of gone) {
      const message = `${key} is listed each time, and is not there`
      bad.set(key, whyBad(sink, key, new VaultError('missing', message, { key, cause })))
    }
    return { trash, bad }
  }
}

/** @throws what is no damage of the object */
function whyBad(sink: Sink, key: string, cause: unknown): VaultError {
  const isBad = cause instanceof VaultError
  // What the sink itself knows to be damaged, or has more bytes than it can have.
  if (!isBad && !hasCode(cause, 'corrupt')) throw cause
  const code = isBad ? cause.code : 'corrupt'
  const why = isBad ? cause.message : `${key} is damaged`
  return new VaultError(code, `sink "${sink.name}": ${why}`, {
    sink: sink.name,
    key,
    cause,
    hint: 'Repair it with `pipe-backup heal`.',
  })
}

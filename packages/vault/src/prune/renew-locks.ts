import { forEachLimited } from '../for-each-limited.ts'
import { packKey } from '../format/pack-format.ts'
import type { StoredObject } from '../store/listing.ts'
import type { Replica } from '../store/replica.ts'
import type { PrunedSink } from './report.ts'

const LOCKS_AT_ONCE = 8

/**
 * Locks again what a sink is to keep, where it locks what it stores: an object that is needed for longer than its lock lasts could be deleted by a
 * thief of the sink's credentials. What is condemned runs out. A failure is reported, and the others are renewed all the same.
 * @throws the abort's reason
 */
export async function renewLocks(
  replica: Replica,
): Promise<Pick<PrunedSink, 'locksRenewed' | 'locksFailed'>> {
  const { sink, context } = replica
  const { signal } = context
  const done = { locksRenewed: 0, locksFailed: 0 }
  if (!sink.renewLock) return done
  await forEachLimited(keptObjects(replica), LOCKS_AT_ONCE, async ([key, { storedAt }]) => {
    try {
      if (await sink.renewLock?.(key, storedAt, { signal })) done.locksRenewed++
    } catch (error) {
      replica.report(error)
      done.locksFailed++
    }
  })
  return done
}

function* keptObjects({ listing }: Replica): Generator<[string, StoredObject]> {
  const { packs, condemned, snapshots, marks, indexes, grants } = listing
  // Nobody knows when it was stored: it is asked for each time.
  yield ['vault.json', { sizeBytes: 0, storedAt: new Date(0) }]
  for (const [name, object] of packs) if (!condemned.has(name)) yield [packKey(name), object]
  for (const objects of [snapshots, marks, indexes, grants]) yield* objects
}

import { snapshotIdOf } from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import { shownSnapshots } from '../store/listing.ts'
import { Replica, type ReplicaContext } from '../store/replica.ts'
import { joinedMarks, onEach, openReplicas, removedSnapshots, requireAny } from '../store/replicas.ts'
import type { VaultSession } from '../store/session.ts'
import { VaultError } from '../vault-error.ts'
import type { PruneOptions } from './prune.ts'

/**
 * Joins the sinks and looks at them. Those that can't be pruned have an `error`.
 * @throws VaultError `busy` when all are being pruned by another; the first sink's error when none can be pruned; the abort's reason
 */
export async function openForPrune(
  { sinks, host, stateDirectory, signal, onProblem, now = () => new Date() }: PruneOptions,
  session: VaultSession,
): Promise<Replica[]> {
  const context: ReplicaContext = {
    vaultId: host.vaultId,
    keys: host.keys,
    session,
    stateDirectory,
    now,
    signal,
    onProblem,
    withMarks: true,
  }
  const replicas = sinks.map((sink) => new Replica(sink, context))
  await openReplicas(replicas)
  await onEach(replicas, async (replica) => {
    await readForPrune(replica)
    await requireAlone(replica, session)
  })
  const busy = replicas.find(({ error }) => hasCode(error, 'busy'))?.error
  if (busy && replicas.every(({ error }) => error)) throw busy
  const able = requireAny(replicas)
  resolveHeads(able)
  requireAny(able)
  return replicas
}

/** Opens what it shows: marks first, for they count also where it can't be pruned. @throws where it is not known what is condemned there */
export async function readForPrune(replica: Replica): Promise<void> {
  await replica.readMarks()
  // Also where it can't be pruned: what it alone shows is needed on the others.
  await replica.readHeads()
  for (const error of replica.listing.badTrash.values()) {
    // What no host that may prune has written condemns nothing.
    if (error.code !== 'forged' && error.code !== 'revoked') throw error
    replica.report(error)
  }
}

/**
 * One prune at a time on a sink: two that begin at once both see the other, and both give way. What one sink alone shows keeps no other
 * from being pruned: a prune that was killed may have left its session there, or a hostile sink kept it.
 */
async function requireAlone(replica: Replica, session: VaultSession): Promise<void> {
  const record = await isBeingPruned(replica, session.id)
  if (!record) return
  const { name } = replica
  const message = `sink "${name}": host ${record.host} has been pruning this vault since ${record.started}`
  throw new VaultError('busy', message, {
    sink: name,
    hint: 'Try again when it is through. One that was killed is forgotten after a day.',
  })
}

/** A snapshot that does not open on one sink needs there what it needs elsewhere; one that opens nowhere needs nobody knows what. */
function resolveHeads(replicas: readonly Replica[]): void {
  // One that was removed while this sink was away goes in any case, and needs nothing any more.
  const tombstoned = removedSnapshots(replicas).difference(joinedMarks(replicas).held())
  for (const replica of replicas) {
    const { heads } = replica
    const closed = shownSnapshots(replica.listing).filter(
      (key) => !heads.has(key) && !tombstoned.has(snapshotIdOf(key) ?? '') && !replica.isDisowned(key),
    )
    for (const key of closed) {
      const other = replicas.find((one) => one.heads.has(key))?.heads.get(key)
      if (other) heads.set(key, other)
      else replica.error ??= notKnown(replica.name, key)
    }
  }
}

function notKnown(sink: string, key: string): VaultError {
  return new VaultError(
    'corrupt',
    `sink "${sink}" is not pruned: ${key} is damaged, and what it needs not known`,
    {
      sink,
      key,
      hint: 'Run `pipe-backup heal`. If no sink has it whole, delete that object by hand.',
    },
  )
}

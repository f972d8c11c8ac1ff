import type { DamageBook } from '../store/damage-book.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import { Replica, type ReplicaContext } from '../store/replica.ts'
import { openReplicas, requireAny } from '../store/replicas.ts'
import type { VaultSession } from '../store/session.ts'
import { VaultError } from '../vault-error.ts'
import type { RunContext } from './backup-options.ts'
import { BackupTarget } from './backup-target.ts'

/** The sinks of a run, joined and listed. @throws the first sink's error when no sink can be used; the abort's reason */
export async function openTargets(
  run: RunContext,
  session: VaultSession,
  book: DamageBook,
): Promise<BackupTarget[]> {
  const { host, sinks, stateDirectory, signal, answerWithinMs, onSinkProblem, now = () => new Date() } = run
  const context: ReplicaContext = {
    vaultId: host.vaultId,
    keys: host.keys,
    session,
    stateDirectory,
    book,
    now,
    signal,
    answerWithinMs,
    onProblem: onSinkProblem,
  }
  const replicas = sinks.map((sink) => new Replica(sink, context))
  const targets = replicas.map((replica) => new BackupTarget(replica, run))
  run.progress.sinks = targets.map(({ shown }) => shown)
  await openReplicas(replicas)
  await Promise.all(
    targets.map(async (target) => {
      const { replica } = target
      await replica.attempt(async () => {
        target.count(session.sizeBytes)
        replica.excludeKnownDamage()
        await forgetBadTrash(target, session, run)
        target.isOpen = true
      })
      if (replica.error) target.fail(replica.error)
    }),
  )
  requireAny(replicas)
  return targets
}

/**
 * Removes damaged trash objects. What they condemned is then not condemned, until the next prune: packs may rest on it, for nobody
 * is there who would delete it.
 * @throws the first object's error while a prune goes on, which may have read it when it was whole
 */
async function forgetBadTrash(
  target: BackupTarget,
  session: VaultSession,
  { onSinkProblem }: RunContext,
): Promise<void> {
  const { replica } = target
  const { badTrash } = replica.listing
  if (badTrash.size === 0) return
  // What is forged was never read by anybody as if it were genuine.
  const damaged = [...badTrash.values()].find(({ code }) => code !== 'forged')
  if (damaged && (await isBeingPruned(replica, session.id))) throw damaged
  const refused = await replica.remove([...badTrash.keys()])
  const { name } = replica
  for (const [key, { code, message }] of badTrash) {
    const error = refused.get(key)
    if (error && code !== 'forged') throw error
    if (!error) target.healed++
    const what = code === 'forged' ? 'is forged' : 'was damaged'
    const said = error ? message : `sink "${name}": ${key} ${what}, and is removed`
    onSinkProblem?.(name, new VaultError(code, said, { sink: name, key }))
  }
}

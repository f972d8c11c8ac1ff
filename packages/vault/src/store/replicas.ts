import { VaultError } from '../vault-error.ts'
import type { Replica } from './replica.ts'
import { KnownRevocations, requireTrusted } from './revocations.ts'
import { requireVault } from './vault-header.ts'

/** For the listings of some millions of objects; one that is as slow as this is of no use in a run that comes each hour. */
const OPEN_WITHIN_MS = 30 * 60_000

/**
 * Looks whether each sink holds the vault and whom it says to be revoked, joins the session there, then lists it: on all of them before any is listed, so that of two
 * sessions that begin at once the later one sees the other everywhere. One that fails has its `error`.
 * @param admit - looks whether a sink holds the vault. Default: it must
 * @throws VaultError `not-permitted` for a host that was revoked; the abort's reason
 */
export async function openReplicas(
  replicas: readonly Replica[],
  admit: (replica: Replica) => Promise<void> = requireHeader,
): Promise<void> {
  const context = replicas[0]?.context
  const known =
    context?.stateDirectory === undefined
      ? undefined
      : await KnownRevocations.open(context.stateDirectory, context.keys)
  await onEach(replicas, (replica) =>
    within(replica, async (signal) => {
      await admit(replica)
      await replica.learnRevocations(known, signal)
    }),
  )
  await known?.save()
  if (context?.session) requireTrusted(context.keys, context.session.hostId)
  await onEach(replicas, (replica) =>
    within(replica, async (signal) => replica.context.session?.join(replica.sink, signal)),
  )
  await onEach(replicas, (replica) => within(replica, (signal) => replica.list(signal)))
}

/** A sink may answer all the time, and never come to an end: the others do not wait for it. @throws VaultError `unanswered` */
async function within(
  { name, context }: Replica,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { signal, openWithinMs = OPEN_WITHIN_MS } = context
  const late = AbortSignal.timeout(openWithinMs)
  try {
    await work(signal ? AbortSignal.any([signal, late]) : late)
  } catch (error) {
    signal?.throwIfAborted()
    if (!late.aborted) throw error
    const time = `${Math.round(openWithinMs / 60_000)} minutes`
    throw new VaultError('unanswered', `sink "${name}" has not said within ${time} what it holds`, {
      sink: name,
      cause: error,
    })
  }
}

/** @throws VaultError `not-a-vault` where the sink does not hold this vault */
function requireHeader({ sink, context }: Replica): Promise<void> {
  return requireVault(sink, context.vaultId, context.signal)
}

/** Does something with each that has not failed, at once. @throws the abort's reason */
export async function onEach(
  replicas: readonly Replica[],
  work: (replica: Replica) => Promise<void>,
): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.attempt(() => work(replica))))
}

/** Those that have not failed. @throws the first one's error when all have */
export function requireAny(replicas: readonly Replica[]): Replica[] {
  const able = replicas.filter(({ error }) => !error)
  if (able.length > 0) return able
  throw replicas[0]?.error ?? new VaultError('too-few-copies', 'no sink is configured')
}

/** Ids of the snapshots that a prune has removed, as any of them says. */
export function removedSnapshots(replicas: readonly Replica[]): Set<string> {
  return new Set(replicas.flatMap((replica) => (replica.isListed ? [...replica.listing.removed] : [])))
}

/** Why an object can't be had: no replica has it whole; or one that does not answer may have it. */
export type Lacking = 'lost' | 'unanswered'

/** Reads an object from the first replica that has it whole. @throws the abort's reason */
export async function readFromAny<T extends object>(
  replicas: readonly Replica[],
  key: string,
  open: (object: Uint8Array) => T | Promise<T>,
): Promise<T | Lacking> {
  let isAnswered = true
  for (const replica of replicas) {
    if (!replica.has(key)) continue
    try {
      const opened = await replica.read(key, open)
      if (opened) return opened
    } catch (error) {
      replica.report(error)
      isAnswered = false
    }
  }
  return isAnswered ? 'lost' : 'unanswered'
}

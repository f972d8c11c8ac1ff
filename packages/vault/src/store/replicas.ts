import { VaultError } from '../vault-error.ts'
import { shownMarks } from './listing.ts'
import { MarkBook } from './mark-book.ts'
import type { Replica } from './replica.ts'
import { KnownRevocations, requireTrusted } from './revocations.ts'
import { requireVault } from './vault-header.ts'

/** Two clocks may be apart by so much without a word: less than what a wrong time zone makes. */
const CLOCKS_APART_MS = 30 * 60_000

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
    replica.within('what it holds', async (signal) => {
      await admit(replica)
      await replica.learnRevocations(known, signal)
    }),
  )
  await known?.save()
  if (context?.session) requireTrusted(context.keys, context.session.hostId)
  const joined = new Map<Replica, Date>()
  await onEach(replicas, (replica) =>
    replica.within('what it holds', async (signal) => {
      await replica.context.session?.join(replica.sink, signal)
      joined.set(replica, replica.context.now())
    }),
  )
  await onEach(replicas, (replica) => replica.within('what it holds', (signal) => replica.list(signal)))
  for (const [replica, time] of joined) compareClocks(replica, time)
}

/** Reports a sink whose clock is far from this host's, by the session that it has just stored. @param joined - when that was, by this host's */
function compareClocks(replica: Replica, joined: Date): void {
  const { session } = replica.context
  const own = session && replica.isListed ? replica.listing.sessions.get(session.id) : undefined
  if (!own || replica.error) return
  const aheadMs = joined.getTime() - own.storedAt.getTime()
  if (Math.abs(aheadMs) <= CLOCKS_APART_MS) return
  const { name } = replica
  const how = aheadMs > 0 ? 'ahead of' : 'behind'
  const message = `this machine's clock is ${timeSpan(Math.abs(aheadMs))} ${how} that of sink "${name}"`
  const hint =
    'One of them is wrong: let NTP set both. Nothing is removed because of it, but snapshots have the wrong time.'
  replica.report(new VaultError('clock', message, { sink: name, hint }))
}

function timeSpan(ms: number): string {
  const hours = Math.round(ms / 3_600_000)
  if (hours > 47) return `${Math.round(hours / 24)} days`
  return hours === 1 ? '1 hour' : `${hours} hours`
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

/** What the marks that were opened say, of all of them together. One that a sink shows and does not have whole may be a pin. */
export function joinedMarks(replicas: readonly Replica[]): MarkBook {
  const book = new MarkBook()
  for (const replica of replicas) {
    if (!replica.isListed) continue
    for (const [key, mark] of replica.marks) book.add(key, mark)
    for (const key of shownMarks(replica.listing))
      if (!replica.marks.has(key) && !replica.isDisowned(key)) book.add(key, undefined)
  }
  return book
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

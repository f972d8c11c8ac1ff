import { VaultError } from '../vault-error.ts'
import type { Replica } from './replica.ts'

/**
 * When the sink itself thinks it is: what it said when it stored our session.
 * @throws VaultError `missing` when it does not show it: others' sessions may be hidden as well
 */
export function sinkTime({ name, listing }: Replica, ownSession: string): number {
  const own = listing.sessions.get(ownSession)
  if (own) return own.storedAt.getTime()
  const key = `sessions/${ownSession}`
  throw new VaultError('missing', `sink "${name}": ${key} was stored, and is not listed`, {
    sink: name,
    key,
    hint: 'Its listings can not be trusted: who works there now is not known. Try `pipe-backup doctor`.',
  })
}

import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'

export type DamageKind = 'missing' | 'corrupt'

/** An object that a sink was seen to lack, or to hold damaged. */
export interface DamagedObject {
  readonly sink: string
  readonly key: string
  readonly why: DamageKind
}

/** The event of finding one. */
export interface Damage extends DamagedObject {
  /** One line, which names the sink. */
  readonly message: string
  readonly error: VaultError
}

/**
 * What the error of reading one object from one sink says of the object. A sink that does not answer, is throttled or refuses says nothing:
 * the object may well be whole.
 * @returns undefined where nothing was seen to be wrong with it
 */
export function damageOf(error: unknown): DamageKind | undefined {
  if (hasCode(error, 'missing') || hasCode(error, 'not-found')) return 'missing'
  // What is forged is no object of the vault: another may be whole.
  return ['corrupt', 'forged', 'revoked'].some((code) => hasCode(error, code)) ? 'corrupt' : undefined
}

/** Which object an error that was reported is about. @returns undefined where it is about none, or nothing was seen to be wrong with it */
export function damagedObject(error: Error): DamagedObject | undefined {
  // Of what a sink itself says not to be there, only the vault knows whether a prune has removed it.
  const isKnown = error instanceof VaultError ? error.code !== 'not-found' : hasCode(error, 'corrupt')
  const why = isKnown ? damageOf(error) : undefined
  const sink = 'sink' in error ? error.sink : undefined
  const key = 'key' in error ? error.key : undefined
  if (why === undefined || typeof sink !== 'string' || typeof key !== 'string') return undefined
  return { sink, key, why }
}

import { createHash } from 'node:crypto'
import {
  deriveKeys,
  isSignatureOf,
  type KeyPair,
  type ObjectKeys,
  openSealed,
  SIGNATURE_BYTES,
  sealTo,
  signDetached,
  type VaultKeys,
  vaultIdOf,
} from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { openRevocation, revokedHostOf } from '../format/revocation.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { putRepaired } from './put-repaired.ts'
import { getObject } from './read-sink.ts'
import { requireVault } from './vault-header.ts'

const PREFIX = 'grants/'
const MAGIC = Buffer.from('PBGRANT\x01', 'latin1')
const CONTENT_BYTES = MAGIC.length + 80

/** The key of what is granted to a recipient: `grants/` and 32 hex digits that follow from its public key. */
export function grantKey(recipient: Uint8Array): string {
  const id = createHash('sha256').update('pipe-backup recipient 1\n').update(recipient).digest('hex')
  return `${PREFIX}${id.slice(0, 32)}`
}

/** Whether an object is one that the phrase signs: a grant, or the revocation of a host. */
export function isGrantKey(key: string): boolean {
  return /^grants\/[0-9a-f]{32}$/.test(key) || revokedHostOf(key) !== undefined
}

/** The master secret, sealed to a recipient (docs/format.md section 4). @throws TypeError for 32 bytes that are no public key */
async function encodeGrant(
  master: Uint8Array,
  { rootSeed }: VaultKeys,
  recipient: Uint8Array,
): Promise<Buffer> {
  const box = await sealTo(recipient, master).catch((cause: unknown) => {
    throw new TypeError(`${Buffer.from(recipient).toString('hex')} is no public key`, { cause })
  })
  const content = Buffer.concat([MAGIC, box])
  return Buffer.concat([content, signDetached(rootSeed, messageOf(grantKey(recipient), content))])
}

/** Whether a grant or a revocation is as somebody with the phrase has written it, under this key. @throws VaultError `corrupt`, `unsupported-version` */
export function checkGrant(keys: ObjectKeys, key: string, object: Uint8Array): Uint8Array {
  if (revokedHostOf(key) !== undefined) {
    openRevocation(keys, key, object)
    return object
  }
  const content = object.subarray(0, CONTENT_BYTES)
  const signature = object.subarray(CONTENT_BYTES)
  boxOf(key, object)
  if (isSignatureOf(keys.rootKey, messageOf(key, content), signature)) return object
  throw new VaultError('corrupt', `${key} is damaged, or not of this vault`, { key })
}

/** The sealed master secret. @throws VaultError `corrupt` for what can be no grant */
function boxOf(key: string, object: Uint8Array): Uint8Array {
  const isOne =
    object.length === CONTENT_BYTES + SIGNATURE_BYTES && MAGIC.compare(object, 0, MAGIC.length) === 0
  if (!isOne) throw new VaultError('corrupt', `${key} is damaged`, { key })
  return object.subarray(MAGIC.length, CONTENT_BYTES)
}

function messageOf(key: string, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`pipe-backup grant 1\n${key}\n`), content])
}

export interface OpenGrantOptions {
  /** In order of preference. */
  readonly sinks: readonly Sink[]
  /** The recipient's own. */
  readonly pair: KeyPair
  readonly vaultId: string
  readonly signal?: AbortSignal | undefined
  /** Called with each grant that is damaged, and of each sink that does not answer. */
  readonly onProblem: (error: Error) => void
}

/**
 * The vault's master secret, for a recipient that it was granted to.
 * @returns undefined when no sink that answers has a grant for it that opens
 * @throws the abort's reason
 */
export async function openGrant(options: OpenGrantOptions): Promise<Uint8Array | undefined> {
  const { sinks, pair, vaultId, signal, onProblem } = options
  const key = grantKey(pair.publicKey)
  for (const sink of sinks) {
    try {
      const master = await openSealed(pair, boxOf(key, await getObject(sink, key, signal)))
      // Anybody can seal something to a public key: only who has the phrase knows what gives the vault's id.
      if (vaultIdOf((await deriveKeys(master)).publicKey) === vaultId) return master
      throw new VaultError('corrupt', `${key} is not of this vault`, { key })
    } catch (error) {
      signal?.throwIfAborted()
      if (!hasCode(error, 'not-found')) onProblem(toError(error))
    }
  }
  return undefined
}

export interface AddGrantOptions {
  readonly sinks: readonly Sink[]
  readonly vaultId: string
  readonly master: Uint8Array
  /** The recipient's public key. */
  readonly recipient: Uint8Array
  readonly signal?: AbortSignal | undefined
}

/**
 * Grants a recipient what the phrase opens, on each sink: all that is stored there and will be.
 * @throws TypeError for 32 bytes that are no public key; the abort's reason
 */
export async function addGrant(
  options: AddGrantOptions,
): Promise<readonly { sink: string; state: 'added' | 'there' | 'failed'; error?: Error }[]> {
  const { sinks, vaultId, master, recipient, signal } = options
  const key = grantKey(recipient)
  const keys = await deriveKeys(master)
  const object = await encodeGrant(master, keys, recipient)
  const results = await Promise.all(
    sinks.map(async (sink) => {
      try {
        await requireVault(sink, vaultId, signal)
        const state = await stateOf(sink, keys, key, signal)
        if (state === 'there') return { sink: sink.name, state } as const
        if (state === 'damaged') await putRepaired(sink, key, object, { signal })
        else await sink.put(key, object, { signal })
        return { sink: sink.name, state: 'added' } as const
      } catch (reason) {
        const error = toError(reason)
        return { sink: sink.name, state: 'failed', error } as const
      }
    }),
  )
  signal?.throwIfAborted()
  return results
}

async function stateOf(
  sink: Sink,
  keys: ObjectKeys,
  key: string,
  signal: AbortSignal | undefined,
): Promise<'there' | 'absent' | 'damaged'> {
  try {
    checkGrant(keys, key, await getObject(sink, key, signal))
    return 'there'
  } catch (error) {
    if (hasCode(error, 'not-found')) return 'absent'
    if (hasCode(error, 'corrupt')) return 'damaged'
    throw error
  }
}

import { randomBytes } from 'node:crypto'
import {
  certify,
  deriveSubkey,
  type HostKeys,
  type Role,
  readCertificate,
  type Signer,
  signingKeyOf,
  type VaultKeys,
  vaultIdOf,
} from '@pipe-backup/crypto'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'

/** All that a host needs to write to a vault, and that its host key file holds. Nothing in it opens a chunk. */
export interface VaultHost {
  /** 32 hex digits. */
  readonly vaultId: string
  /** 32 hex digits, random: which host wrote a pack. */
  readonly hostId: string
  readonly keys: HostKeys
  /** What it signs with, and what says that it may. */
  readonly signer: Signer
  /** Public keys that can open this host's runs too, beside the phrase. */
  readonly recipients: readonly Uint8Array[]
}

/** The keys that are derived from a host's keys, for single purposes (docs/format.md section 2). */
export interface DerivedKeys {
  readonly nodeIdKey: Uint8Array
  readonly gearKey: Uint8Array
  readonly pathKey: Uint8Array
}

export async function derivedKeys(keys: Pick<HostKeys, 'idKey'>): Promise<DerivedKeys> {
  return {
    nodeIdKey: await deriveSubkey(keys.idKey, 1, 'pbnodeid'),
    gearKey: await deriveSubkey(keys.idKey, 2, 'pbgear01'),
    pathKey: await deriveSubkey(keys.idKey, 3, 'pbpathid'),
  }
}

/** A host that has just joined: its id is new. @param keys - the phrase's */
export function createVaultHost(keys: VaultKeys, role: Role = 'maintain'): VaultHost {
  const { publicKey, idKey, indexKey, rootKey } = keys
  const hostId = randomBytes(16).toString('hex')
  const seed = Uint8Array.from(randomBytes(32))
  return {
    vaultId: vaultIdOf(publicKey),
    hostId,
    keys: { publicKey, idKey, indexKey, rootKey, revoked: new Map() },
    signer: { seed, certificate: certify(keys, hostId, role, seed) },
    recipients: [],
  }
}

/** The host, certified for another role. @param keys - the phrase's */
export function withRole(host: VaultHost, keys: VaultKeys, role: Role): VaultHost {
  const { seed } = host.signer
  return { ...host, signer: { seed, certificate: certify(keys, host.hostId, role, seed) } }
}

/** What a host may do. */
export function roleOf({ keys, signer }: VaultHost): Role {
  return readCertificate(keys.rootKey, signer.certificate).role
}

/** @throws VaultError `not-permitted` for a host that may write alone */
export function requireMaintainer(host: VaultHost): void {
  if (roleOf(host) === 'maintain') return
  throw new VaultError('not-permitted', "this host's key may write snapshots, and not prune", {
    hint: 'Prune on a host that maintains the vault, or make this one such: pipe-backup init --role maintain --phrase-file FILE',
  })
}

const FORMAT = 'pipe-backup host key'

/** The text of the host key file. To be kept with mode 0600. */
export function encodeHostKey(host: VaultHost): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const file = {
    format: FORMAT,
    version: 1,
    vault: host.vaultId,
    host: host.hostId,
    publicKey: hex(host.keys.publicKey),
    idKey: hex(host.keys.idKey),
    indexKey: hex(host.keys.indexKey),
    rootKey: hex(host.keys.rootKey),
    seed: hex(host.signer.seed),
    certificate: hex(host.signer.certificate),
    recipients: host.recipients.map(hex),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** @throws VaultError `corrupt`, `unsupported-version` */
export function decodeHostKey(text: string): VaultHost {
  const damaged = (why: string) =>
    new VaultError('corrupt', `the host key file is damaged: ${why}`, {
      hint: 'Move it away, and make it again with `pipe-backup init --phrase-file FILE`.',
    })
  let file: Record<string, unknown>
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null) throw damaged('not an object')
    file = Object.fromEntries(Object.entries(parsed))
  } catch {
    throw damaged('not JSON')
  }
  if (file['format'] !== FORMAT) throw damaged('not a host key')
  if (file['version'] !== 1) {
    throw new VaultError('unsupported-version', 'the host key file was written by a newer pipe-backup', {
      hint: 'Update this program.',
    })
  }
  const hex = (value: unknown, bytes: number, what: string): Uint8Array => {
    if (typeof value !== 'string' || value.length !== bytes * 2 || !/^[0-9a-f]*$/.test(value))
      throw damaged(`no ${what}`)
    return Uint8Array.from(Buffer.from(value, 'hex'))
  }
  const publicKey = hex(file['publicKey'], 32, 'public key')
  const vaultId = vaultIdOf(publicKey)
  if (file['vault'] !== vaultId) throw damaged('its vault id is not that of its public key')
  const recipients: unknown = file['recipients']
  if (!Array.isArray(recipients)) throw damaged('no recipients')
  const rootKey = hex(file['rootKey'], 32, 'root key')
  const seed = hex(file['seed'], 32, 'signing key')
  const certificate = hex(file['certificate'], 113, 'certificate')
  const hostId = Buffer.from(hex(file['host'], 16, 'host id')).toString('hex')
  try {
    const certified = readCertificate(rootKey, certificate)
    const isOwn = Buffer.compare(certified.publicKey, signingKeyOf(seed)) === 0
    if (certified.hostId !== hostId || !isOwn) throw damaged('its certificate is not its own')
  } catch (error) {
    if (hasCode(error, 'forged')) throw damaged('its certificate was not made with the phrase')
    throw error
  }
  return {
    vaultId,
    hostId,
    keys: {
      publicKey,
      idKey: hex(file['idKey'], 32, 'id key'),
      indexKey: hex(file['indexKey'], 32, 'index key'),
      rootKey,
      revoked: new Map(),
    },
    signer: { seed, certificate },
    recipients: recipients.map((recipient: unknown) => hex(recipient, 32, 'recipient')),
  }
}

import { randomBytes } from 'node:crypto'
import { deriveSubkey, type HostKeys, vaultIdOf } from '@pipe-backup/crypto'
import { VaultError } from '../vault-error.ts'

/** All that a host needs to write to a vault, and that its host key file holds. Nothing in it opens a chunk. */
export interface VaultHost {
  /** 32 hex digits. */
  readonly vaultId: string
  /** 32 hex digits, random: which host wrote a pack. */
  readonly hostId: string
  readonly keys: HostKeys
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

/** A host that has just joined: its id is new. */
export function createVaultHost(keys: HostKeys): VaultHost {
  const { publicKey, idKey, indexKey } = keys
  return {
    vaultId: vaultIdOf(publicKey),
    hostId: randomBytes(16).toString('hex'),
    keys: { publicKey, idKey, indexKey },
    recipients: [],
  }
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
  return {
    vaultId,
    hostId: Buffer.from(hex(file['host'], 16, 'host id')).toString('hex'),
    keys: {
      publicKey,
      idKey: hex(file['idKey'], 32, 'id key'),
      indexKey: hex(file['indexKey'], 32, 'index key'),
    },
    recipients: recipients.map((recipient: unknown) => hex(recipient, 32, 'recipient')),
  }
}

import { deriveKeys, type VaultKeys } from '@pipe-backup/crypto'
import { createVaultHost, type VaultHost } from '../format/vault-host.ts'

/** The phrase's keys of a vault. */
export const KEYS: VaultKeys = await deriveKeys(new Uint8Array(32).fill(7))
/** A host that maintains it. */
export const HOST: VaultHost = createVaultHost(KEYS)

/** What a thief can make of a stolen index key: a host whose certificate another phrase has made. */
export async function forgerOf(host: VaultHost): Promise<VaultHost> {
  const stranger = createVaultHost(await deriveKeys(new Uint8Array(32).fill(99)))
  return { ...host, signer: stranger.signer }
}

import { certify, deriveKeys, type Signer, type VaultKeys } from '@pipe-backup/crypto'

export const HOST_ID: string = 'ab'.repeat(16)

/** Keys of a vault, the same each time for the same number. */
export async function keysOf(number: number): Promise<VaultKeys> {
  return await deriveKeys(new Uint8Array(32).fill(number))
}

/** A host of that vault, which may write. */
export function signerOf(keys: VaultKeys): Signer {
  const seed = new Uint8Array(32).fill(7)
  return { seed, certificate: certify(keys, HOST_ID, 'write', seed) }
}

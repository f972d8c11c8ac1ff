import { decodeHostKey, type VaultHost } from '@pipe-backup/vault'
import { ifSet } from '../config/if-set.ts'
import { UsageError } from '../usage-error.ts'
import { readSecureFile } from './secure-file.ts'

/**
 * Reads the host key file.
 * @returns `undefined` when there is none
 * @throws SecureFileError `exposed` when others can read it; VaultError `corrupt`, `unsupported-version`
 */
export async function findHost(file: string): Promise<VaultHost | undefined> {
  return ifSet(await readSecureFile(file), decodeHostKey)
}

/** @throws UsageError when there is no host key file; else as `findHost` */
export async function loadHost(file: string): Promise<VaultHost> {
  const host = await findHost(file)
  if (host !== undefined) return host
  throw new UsageError(
    `this host has no key: there is no ${file}`,
    'Run "pipe-backup init" to make a vault, or "pipe-backup init --phrase-file FILE" to join the one there is.',
  )
}

import { deriveKeys, type HostKeys, masterFromPhrase, type VaultKeys, vaultIdOf } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { findVault, VaultError } from '@pipe-backup/vault'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { promptForPhrase } from '../phrase/prompt-hidden.ts'
import { readPhrase } from '../phrase/read-phrase.ts'
import type { Session } from '../session.ts'
import { errorLine } from '../terminal/error-line.ts'

/**
 * Asks for the recovery phrase and derives all keys from it.
 * @param file - from --phrase-file
 * @throws UsageError when there is none to be had; CryptoError `bad-phrase`
 */
export async function keysFromPhrase(session: Session, file: string | undefined): Promise<VaultKeys> {
  const { machine, output, phraseVariable } = session
  const { stdin, stderr } = process
  const ask = (): Promise<string> => promptForPhrase(stdin, (text) => void stderr.write(text))
  const phrase = await readPhrase({
    file,
    variable: phraseVariable,
    cwd: machine.cwd,
    stdin,
    warn: (message) => output.warn(message),
    ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
  })
  return await deriveKeys(masterFromPhrase(phrase))
}

/**
 * The keys that open everything, from the recovery phrase, proven to be those of the vault on the sinks.
 * @throws as `keysFromPhrase`; CommandError `wrong-phrase`; VaultError `not-a-vault`
 */
export async function openVaultKeys(
  sinks: readonly Sink[],
  session: Session,
  file: string | undefined,
): Promise<VaultKeys> {
  const keys = await keysFromPhrase(session, file)
  await requireVaultOf(keys, sinks, session, wrongPhrase)
  return keys
}

/**
 * The keys that open listings, from this host's key file where there is one, else from the recovery phrase.
 * @throws as `openVaultKeys`; SecureFileError `exposed`
 */
export async function openListingKeys(
  config: LoadedConfig,
  sinks: readonly Sink[],
  session: Session,
  file: string | undefined,
): Promise<HostKeys> {
  const phraseGiven = file !== undefined || session.phraseVariable !== undefined
  const host = phraseGiven ? undefined : await findHost(config.hostKey)
  if (host === undefined) return await openVaultKeys(sinks, session, file)
  const other = (found: string): VaultError =>
    new VaultError(
      'not-a-vault',
      `the sinks hold vault ${found}, the host key ${config.hostKey} is that of ${host.vaultId}`,
    )
  await requireVaultOf(host.keys, sinks, session, other)
  return host.keys
}

async function requireVaultOf(
  keys: HostKeys,
  sinks: readonly Sink[],
  { signal, output }: Session,
  otherVault: (found: string) => Error,
): Promise<void> {
  const wanted = vaultIdOf(keys.publicKey)
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const found = await findVault({ sinks, wanted, signal, onProblem })
  if (found === undefined) throw noVault(sinks)
  if (found.id !== wanted) throw otherVault(found.id)
}

/** @param vaultId - of the vault that is there */
export function wrongPhrase(vaultId: string): CommandError {
  return new CommandError('wrong-phrase', `this is the recovery phrase of another vault, not of ${vaultId}`)
}

export function noVault(sinks: readonly Sink[]): VaultError {
  const names = sinks.map(({ name }) => `"${name}"`).join(', ')
  return new VaultError('not-a-vault', `there is no vault on ${names}`, {
    hint: 'Check where the sinks point. A new vault is made by "pipe-backup init".',
  })
}

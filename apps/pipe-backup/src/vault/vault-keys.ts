import {
  deriveKeys,
  findSlip,
  type HostKeys,
  masterFromPhrase,
  type VaultKeys,
  vaultIdOf,
} from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { findVault, openGrant, VaultError } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findHost } from '../host/load-host.ts'
import { confirmVault } from '../phrase/confirm-vault.ts'
import { promptForPhrase } from '../phrase/prompt-hidden.ts'
import { readPhrase } from '../phrase/read-phrase.ts'
import { errorLine } from '../terminal/error-line.ts'

/** What a recovery phrase stands for. */
export interface OwnSecret {
  /** The phrase itself. */
  readonly words: string
  readonly master: Uint8Array
  /** The vault that it is for, as far as whoever keeps it has said so. */
  readonly vaultId: string | undefined
}

/**
 * Asks for the recovery phrase.
 * @param file - from --phrase-file
 * @param sinks - say what a phrase with a slip in it was, where they hold a vault
 * @throws UsageError when there is none to be had; CryptoError `bad-phrase`; CommandError `wrong-phrase`, which says what is wrong with it
 */
export async function readMaster(
  cli: CliContext,
  file: string | undefined,
  sinks: readonly Sink[],
): Promise<OwnSecret> {
  const { machine, options, output, phraseVariable } = cli
  const { stdin, stderr } = process
  const ask = (): Promise<string> => promptForPhrase(stdin, (text) => void stderr.write(text))
  const { words, vaultId } = await readPhrase({
    file,
    variable: phraseVariable,
    cwd: machine.cwd,
    stdin,
    warn: (message) => output.warn(message),
    ask: stdin.isTTY && stderr.isTTY ? ask : undefined,
  })
  try {
    return { words, master: masterFromPhrase(words), vaultId: options.vaultId ?? vaultId }
  } catch (error) {
    const found = await findVault({ sinks, signal: cli.signal }).catch(() => undefined)
    throw (found && (await slipOf(words, found.id))) ?? error
  }
}

/** What the phrase would have to be to open this vault, if that is one slip away from what it is. */
async function slipOf(words: string, vaultId: string): Promise<CommandError | undefined> {
  const isRight = async (master: Uint8Array) => vaultIdOf((await deriveKeys(master)).publicKey) === vaultId
  const slip = await findSlip(words, isRight)
  if (slip === undefined) return undefined
  const message = `the recovery phrase opens vault ${vaultId} ${slip}`
  return new CommandError('wrong-phrase', message, 'Correct it where it is kept.')
}

/**
 * The master secret of the vault on the sinks: from its recovery phrase, or from that of a recipient to whom it was granted.
 * @throws as `readMaster`; CommandError `wrong-phrase`, `unknown-vault`; VaultError `not-a-vault`
 */
export async function openMaster(
  sinks: readonly Sink[],
  cli: CliContext,
  file: string | undefined,
): Promise<Uint8Array> {
  const own = await readMaster(cli, file, sinks)
  const { publicKey } = await deriveKeys(own.master)
  const found = await findVaultOf(publicKey, sinks, cli)
  return found === vaultIdOf(publicKey) ? own.master : await openGranted(own, found, sinks, cli)
}

/**
 * What was granted to the recipient whose phrase this is. Anybody who knows its public key can grant it a vault of his own: which vault is
 * meant must be known from elsewhere.
 * @throws CommandError `wrong-phrase`; `unknown-vault` where it is not known, or another
 */
export async function openGranted(
  { words, master, vaultId: expected }: OwnSecret,
  vaultId: string,
  sinks: readonly Sink[],
  { signal, output }: CliContext,
): Promise<Uint8Array> {
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const granted = await openGrant({ sinks, pair: await deriveKeys(master), vaultId, signal, onProblem })
  if (granted === undefined) throw (await slipOf(words, vaultId)) ?? wrongPhrase(vaultId)
  if (expected !== undefined && expected !== vaultId)
    throw new CommandError(
      'unknown-vault',
      `the sinks hold vault ${vaultId}, and the phrase is for vault ${expected}`,
      'Whoever knows the public key of a recipient can grant it a vault of his own: check where the sinks point.',
    )
  if (expected === undefined && !(await confirmVault(vaultId)))
    throw new CommandError(
      'unknown-vault',
      `the phrase is that of a recipient, and the sinks hold vault ${vaultId}: whether that is the one that it is for is not known`,
      `Compare the id with what the owner told you, then give --vault-id ${vaultId}, or add the line "vault ${vaultId}" to the phrase file.`,
    )
  return granted
}

/** The keys that open everything. @throws as `openMaster` */
export async function openVaultKeys(
  sinks: readonly Sink[],
  cli: CliContext,
  file: string | undefined,
): Promise<VaultKeys> {
  return await deriveKeys(await openMaster(sinks, cli, file))
}

/**
 * The keys that open listings, from this host's key file where there is one, else from the recovery phrase.
 * @throws as `openVaultKeys`; SecureFileError `exposed`
 */
export async function openListingKeys(
  config: LoadedConfig,
  sinks: readonly Sink[],
  cli: CliContext,
  file: string | undefined,
): Promise<HostKeys> {
  const phraseGiven = file !== undefined || cli.phraseVariable !== undefined
  const host = phraseGiven ? undefined : await findHost(config.hostKey)
  if (host === undefined) return await openVaultKeys(sinks, cli, file)
  const found = await findVaultOf(host.keys.publicKey, sinks, cli)
  if (found === host.vaultId) return host.keys
  throw new VaultError(
    'not-a-vault',
    `the sinks hold vault ${found}, the host key ${config.hostKey} is that of ${host.vaultId}`,
  )
}

/** @returns the id of the vault with this public key, where any sink holds that, else of the one that they hold */
async function findVaultOf(
  publicKey: Uint8Array,
  sinks: readonly Sink[],
  { signal, output }: CliContext,
): Promise<string> {
  const wanted = vaultIdOf(publicKey)
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const found = await findVault({ sinks, wanted, signal, onProblem })
  if (found === undefined) throw noVault(sinks)
  return found.id
}

/** @param vaultId - of the vault that is there */
function wrongPhrase(vaultId: string): CommandError {
  return new CommandError('wrong-phrase', `this is the recovery phrase of another vault, not of ${vaultId}`)
}

export function noVault(sinks: readonly Sink[]): VaultError {
  const names = sinks.map(({ name }) => `"${name}"`).join(', ')
  return new VaultError('not-a-vault', `there is no vault on ${names}`, {
    hint: 'Check where the sinks point. A new vault is made by "pipe-backup init".',
  })
}

import type { VaultKeys } from '@pipe-backup/crypto'
import { vaultIdOf } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { listSnapshots, openSnapshot } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openConfig, openReadingSinks } from '../vault/open-config.ts'
import { openVaultKeys } from '../vault/vault-keys.ts'

/** `key check`: proves that a phrase opens the vault, on its newest snapshot where there is one. @returns the exit code */
export async function keyCheck(
  cli: CliContext,
  options: { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output } = cli
  const config = await openConfig(cli)
  await using opened = await openReadingSinks(config, cli)
  const keys = await openVaultKeys(opened.sinks, cli, options.phraseFile)
  const vaultId = vaultIdOf(keys.publicKey)
  const snapshot = await openNewest(opened.sinks, keys, cli)
  const proof =
    snapshot === undefined
      ? 'it holds no snapshot yet'
      : `its newest snapshot, ${snapshot}, was opened with it`
  output.print(`the phrase opens vault ${vaultId}: ${proof}`)
  output.printJson({ vaultId, opens: true, snapshot: snapshot ?? null })
  return 0
}

/** Decrypts the beginning of the newest snapshot that has entries. @returns its id */
async function openNewest(
  sinks: readonly Sink[],
  keys: VaultKeys,
  cli: CliContext,
): Promise<string | undefined> {
  const { output, signal } = cli
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const snapshot = (await listSnapshots({ sinks, keys, signal, onProblem })).at(-1)
  if (snapshot === undefined) return undefined
  await using reader = await openSnapshot({ sinks, keys, snapshot, signal, onProblem })
  for await (const _entry of reader.entries()) break
  return snapshot.id
}

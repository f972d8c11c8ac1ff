import type { CliContext } from '../cli-context.ts'
import { readStatus } from '../status/read-status.ts'
import { statusLines, statusToJson } from '../status/status-report.ts'
import { openVaultKeys } from '../vault/vault-keys.ts'

/** `status`: how the vault, its sources and each of its sinks stand. @returns the exit code */
export async function status(
  cli: CliContext,
  options: { readonly phraseFile?: string | undefined },
): Promise<number> {
  const { output } = cli
  const report = await readStatus(cli, (sinks) => openVaultKeys(sinks, cli, options.phraseFile))
  output.print(statusLines(report).join('\n'))
  output.printJson(statusToJson(report))
  return report.exitCode
}

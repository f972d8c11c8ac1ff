import { resolve } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { ifSet } from '../config/if-set.ts'
import { requireFilePlace, writeHtml } from '../status/html/write-html.ts'
import { readStatus } from '../status/read-status.ts'
import { statusLines, statusToJson } from '../status/status-report.ts'
import { openVaultKeys } from '../vault/vault-keys.ts'

export interface StatusOptions {
  readonly phraseFile?: string | undefined
  /** A file for the overview as HTML. */
  readonly html?: string | undefined
}

/** `status`: how the vault, its sources and each of its sinks stand. @returns the exit code */
export async function status(cli: CliContext, options: StatusOptions): Promise<number> {
  const { machine, output } = cli
  const file = ifSet(options.html, (path) => resolve(machine.cwd, path))
  if (file !== undefined) await requireFilePlace(file)
  const report = await readStatus(cli, (sinks) => openVaultKeys(sinks, cli, options.phraseFile))
  if (file !== undefined) {
    const { statusHtml } = await import('../status/html/status-html.ts')
    await writeHtml(file, await statusHtml(report))
  }
  output.print(statusLines(report).join('\n'))
  output.printJson(statusToJson(report))
  return report.exitCode
}

import type { Source } from '@pipe-backup/source'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { openSources } from '../providers/open-sources.ts'
import type { SourceSurroundings } from '../providers/source-surroundings.ts'
import type { SecretReader } from '../secrets/read-secret.ts'
import { UsageError } from '../usage-error.ts'

/**
 * The sources that are configured, or those of them that are named.
 * @throws UsageError for a name that is not configured, and where there are none
 */
export async function chooseSources(
  config: LoadedConfig,
  secrets: SecretReader,
  { signal }: CliContext,
  names: readonly string[],
  surroundings: SourceSurroundings,
): Promise<readonly Source[]> {
  const sources = await openSources(config, { secrets, signal, names, surroundings })
  if (sources.length > 0) return sources
  throw new UsageError(
    `there is nothing to back up: ${config.file} has no sources`,
    'Add some, or use --stdin.',
  )
}

/** @param example - of a command that is piped into. @throws UsageError where standard input is a terminal */
export function refuseTerminal(example: string): void {
  if (process.stdin.isTTY) throw new UsageError('--stdin: nothing is piped in', example)
}

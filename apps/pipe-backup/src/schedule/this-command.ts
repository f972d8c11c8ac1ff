import { resolve } from 'node:path'
import type { GlobalOptions } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'

/** How this program is run again with this configuration: absolute, for a timer finds neither PATH nor working directory. */
export function thisCommand(
  config: LoadedConfig,
  ...words: readonly string[]
): readonly [string, ...string[]] {
  const script = process.argv[1] ?? ''
  return [process.execPath, ...sourceFlags(), resolve(script), '--config', config.file, ...words]
}

/** The options that say what is printed, for a command that this one runs. */
export function outputFlags({
  json,
  quiet,
  verbose,
  logJson,
}: Pick<GlobalOptions, 'json' | 'quiet' | 'verbose' | 'logJson'>): readonly string[] {
  const flags = { '--json': json, '--quiet': quiet, '--verbose': verbose, '--log-json': logJson }
  return Object.entries(flags).flatMap(([flag, isSet]) => (isSet ? [flag] : []))
}

/** Run from source, it needs the condition that finds the other packages' sources. */
function sourceFlags(): readonly string[] {
  return process.execArgv.filter((flag) => flag.startsWith('--conditions='))
}

import { resolve } from 'node:path'
import type { LoadedConfig } from '../config/load-config.ts'

/** How this program is run again with this configuration: absolute, for a timer finds neither PATH nor working directory. */
export function thisCommand(
  config: LoadedConfig,
  ...words: readonly string[]
): readonly [string, ...string[]] {
  const script = process.argv[1] ?? ''
  return [process.execPath, ...sourceFlags(), resolve(script), '--config', config.file, ...words]
}

/** Run from source, it needs the condition that finds the other packages' sources. */
function sourceFlags(): readonly string[] {
  return process.execArgv.filter((flag) => flag.startsWith('--conditions='))
}

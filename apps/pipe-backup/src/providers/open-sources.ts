import type { Source } from '@pipe-backup/source'
import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSourceType } from '../config/schema.ts'
import type { SecretConfig } from '../config/values.ts'
import type { SecretReader } from '../secrets/read-secret.ts'
import { unexpected } from './contain-errors.ts'
import { findByName } from './open-sinks.ts'
import { readAsOf } from './read-as.ts'
import type { SourceSurroundings } from './source-surroundings.ts'
import { unavailableSource } from './unavailable.ts'

/**
 * Makes the configured sources. One that can't be opened, as when its secret can't be had, stands in as a source that fails.
 * @param names - from the command line; empty for all
 * @throws UsageError for a name that is not configured
 */
export async function openSources(
  config: LoadedConfig,
  options: {
    readonly secrets: SecretReader
    readonly signal: AbortSignal
    readonly names: readonly string[]
    readonly surroundings: SourceSurroundings
  },
): Promise<readonly Source[]> {
  const { secrets, signal, names, surroundings } = options
  const chosen =
    names.length === 0 ? config.sources : names.map((name) => findByName('source', config.sources, name))
  const context = {
    path: config.path,
    secret: (value: SecretConfig) => secrets.read(value),
    secretLine: (value: SecretConfig) => secrets.readLine(value),
    signal,
    surroundings,
  }
  const readAs = readAsOf(config)
  return await Promise.all(
    [...new Set(chosen)].map(async (source) => {
      try {
        const opened = await findSourceType(source.type).open(source, context)
        return { ...opened, readAs: readAs.get(source.name) }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof ConfigError) return unavailableSource(source.name, error)
        // Nothing was read yet, so the others lose nothing by going on.
        if (error instanceof TypeError || error instanceof RangeError)
          return unavailableSource(source.name, unexpected(error))
        throw error
      }
    }),
  )
}

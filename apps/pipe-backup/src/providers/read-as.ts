import { createHash } from 'node:crypto'
import { clearSecrets } from '../config/clear-secrets.ts'
import type { LoadedConfig } from '../config/load-config.ts'

/** What says when and how a source is read, and not what. */
const WHEN: ReadonlySet<string> = new Set(['every', 'timeout', 'before', 'after', 'drill'])

/** For each source a digest of what its configuration has it read, without the secrets that stand in it. */
export function readAsOf(config: LoadedConfig): ReadonlyMap<string, string> {
  const secrets = new Set(Array.from(clearSecrets(config), ({ path }) => path.join('/')))
  return new Map(
    config.sources.map((source, i) => {
      const what = Object.entries(source)
        .filter(([key]) => !WHEN.has(key) && !secrets.has(`sources/${i}/${key}`))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => [key, key === 'env' ? Object.keys(value as object) : value])
      return [
        source.name,
        createHash('sha256')
          .update(JSON.stringify(Object.fromEntries(what)))
          .digest('hex')
          .slice(0, 32),
      ]
    }),
  )
}

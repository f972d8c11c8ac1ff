import type { LoadedConfig } from '../config/load-config.ts'
import { type ServerConfig, serverOf } from '../providers/mysql-source.ts'
import type { Session } from '../session.ts'
import { openSecrets } from '../vault/open-config.ts'

type Pieces = AsyncIterable<Uint8Array>

/**
 * Reads files to their ends; those that are dumps of a source with a `drill` server are loaded there on the way, into a database that is made for it
 * and dropped again.
 * @returns whether the file was loaded @throws SourceError when it could not be
 */
export function dumpLoader(
  config: LoadedConfig,
  session: Session,
): (path: string, pieces: Pieces) => Promise<boolean> {
  const secrets = openSecrets(config, session)
  return async (path, pieces) => {
    const source = config.sources.find(({ name }) => path.startsWith(`${name}/`))
    // The schema of its type has checked it.
    const drill = source && 'drill' in source ? (source.drill as ServerConfig | undefined) : undefined
    if (!drill || !path.endsWith('.sql')) {
      for await (const _ of pieces);
      return false
    }
    const { loadDump } = await import('@pipe-backup/source-mysql')
    const server = await serverOf(drill, {
      path: config.path,
      secretLine: (value) => secrets.readLine(value),
    })
    await loadDump(server, pieces, session.signal)
    return true
  }
}

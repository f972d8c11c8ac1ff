import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSourceType } from '../config/schema.ts'
import { openSecrets } from '../vault/open-config.ts'

type Pieces = AsyncIterable<Uint8Array>

/**
 * Reads files to their ends; those that their source can try by more than that are tried on the way: a dump is loaded into a scratch server.
 * @returns whether the file was tried @throws SourceError when it is of no use
 */
export function dumpLoader(
  config: LoadedConfig,
  cli: CliContext,
): (path: string, pieces: Pieces) => Promise<boolean> {
  const secrets = openSecrets(config, cli)
  const context = {
    path: config.path,
    secret: (value: Parameters<typeof secrets.read>[0]) => secrets.read(value),
    secretLine: (value: Parameters<typeof secrets.read>[0]) => secrets.readLine(value),
    signal: cli.signal,
  }
  return async (path, pieces) => {
    const source = config.sources.find(({ name }) => path.startsWith(`${name}/`))
    const drill = source && findSourceType(source.type).drill(source, context)
    if (drill?.takes(path)) {
      await drill.run(pieces)
      return true
    }
    for await (const _ of pieces);
    return false
  }
}

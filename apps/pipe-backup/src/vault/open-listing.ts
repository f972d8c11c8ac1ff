import type { HostKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { openConfig, openReadingSinks } from './open-config.ts'
import { openListingKeys } from './vault-keys.ts'

/** What lists a vault's objects. */
export interface Listing extends AsyncDisposable {
  readonly sinks: readonly Sink[]
  readonly keys: HostKeys
}

/** Opens the sinks to read from, and the keys that open listings. @throws as `openConfig`, `openReadingSinks`, `openListingKeys` */
export async function openListing(cli: CliContext, phraseFile: string | undefined): Promise<Listing> {
  const config = await openConfig(cli)
  await using opening = new AsyncDisposableStack()
  const { sinks } = opening.use(await openReadingSinks(config, cli))
  const keys = await openListingKeys(config, sinks, cli, phraseFile)
  const opened = opening.move()
  return { sinks, keys, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

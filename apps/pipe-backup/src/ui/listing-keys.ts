import type { HostKeys } from '@pipe-backup/crypto'
import { findHost } from '../host/load-host.ts'
import { type Listing, openListing } from '../vault/open-listing.ts'
import type { Keyring } from './keyring.ts'
import type { RequestCli, UiContext } from './request-cli.ts'

/** Whether this host has no key of its own, so that lists need the phrase, too. */
export async function needsPhrase({ config }: UiContext): Promise<boolean> {
  return (await findHost(config.hostKey).catch(() => undefined)) === undefined
}

/** The keys of the phrase, where there is no host key. @throws LockedError */
export function phraseKeys(keyring: Keyring): HostKeys {
  using opened = keyring.use()
  return opened.keys
}

/** What lists snapshots: by the host's key, or, where there is none, the phrase. @throws LockedError, and as `openListing` */
export async function openUiListing(ui: UiContext, keyring: Keyring, { cli }: RequestCli): Promise<Listing> {
  if (!(await needsPhrase(ui))) return await openListing(cli, undefined)
  const opened = keyring.use()
  return {
    sinks: opened.sinks,
    keys: opened.keys,
    [Symbol.asyncDispose]: async () => opened[Symbol.dispose](),
  }
}

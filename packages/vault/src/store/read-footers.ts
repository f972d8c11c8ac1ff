import { join } from 'node:path'
import type { ObjectKeys } from '@pipe-backup/crypto'
import { forEachLimited } from '../for-each-limited.ts'
import { decodeFooterContent, type PackFooter } from '../format/pack-format.ts'
import { FOOTERS_AT_ONCE, readIndexes } from './load-index.ts'
import { readPackFooter } from './read-pack-footer.ts'
import type { Replica } from './replica.ts'

interface ReadFootersOptions {
  readonly host: { readonly keys: ObjectKeys }
  readonly stateDirectory: string
  readonly signal?: AbortSignal | undefined
}

/** The contents of the footers of all packs, by name, from the index objects, or else from the packs. @throws the abort's reason */
export async function readFooters(
  replicas: readonly Replica[],
  { host, stateDirectory, signal }: ReadFootersOptions,
): Promise<Map<string, PackFooter>> {
  const { keys } = host
  const reading = { replicas, keys, cacheDirectory: join(stateDirectory, 'index') }
  const footers = new Map<string, PackFooter>()
  for await (const { packs = [] } of readIndexes(reading)) {
    for (const { name, footer } of packs)
      if (!footers.has(name)) footers.set(name, decodeFooterContent(footer))
  }
  for (const replica of replicas) {
    const names = [...replica.listing.packs].filter(([name]) => !footers.has(name))
    await forEachLimited(names, FOOTERS_AT_ONCE, async ([name, { sizeBytes }]) => {
      try {
        const content = await readPackFooter(replica.sink, name, sizeBytes, keys, signal)
        footers.set(name, decodeFooterContent(content))
      } catch (error) {
        replica.report(error)
      }
    })
  }
  return footers
}

import { join } from 'node:path'
import type { ObjectKeys } from '@pipe-backup/crypto'
import { decodeFooterContent, type PackFooter } from '../format/pack-format.ts'
import { readIndex } from './load-index.ts'
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
  for (const key of new Set(replicas.flatMap(({ listing }) => [...listing.indexes.keys()]))) {
    for (const { name, footer } of (await readIndex(key, reading)) ?? [])
      if (!footers.has(name)) footers.set(name, decodeFooterContent(footer))
  }
  for (const replica of replicas) {
    for (const [name, { sizeBytes }] of replica.listing.packs) {
      if (footers.has(name)) continue
      try {
        const content = await readPackFooter(replica.sink, name, sizeBytes, keys, signal)
        footers.set(name, decodeFooterContent(content))
      } catch (error) {
        replica.report(error)
      }
    }
  }
  return footers
}

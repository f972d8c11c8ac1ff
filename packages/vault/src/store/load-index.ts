import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectKeys, Role } from '@pipe-backup/crypto'
import { type IndexedPack, openIndex } from '../format/index-object.ts'
import { decodeFooterContent, hostIdOf, packKey } from '../format/pack-format.ts'
import { hasCode } from '../has-code.ts'
import { type Ahead, mapAhead } from '../map-ahead.ts'
import { ChunkIndex } from './chunk-index.ts'
import { readPackFooter } from './read-pack-footer.ts'
import type { Replica } from './replica.ts'
import { readFromAny } from './replicas.ts'

/** An index may have 64 MiB of content. */
export const INDEXES_AHEAD: Ahead<{ readonly sizeBytes: number }> = {
  atOnce: 8,
  sizes: { of: ({ sizeBytes }) => sizeBytes, most: 4 * 1024 * 1024 },
}
export const FOOTERS_AT_ONCE = 8

export interface LoadedIndex {
  readonly index: ChunkIndex
  /**
   * Packs that a sink holds but no index lists, and that this host may list: an earlier run was cut short, or another host's is going on.
   * Its own are reused, and all are listed by this run.
   */
  readonly unlisted: IndexedPack[]
}

interface LoadIndexOptions {
  readonly replicas: readonly Replica[]
  readonly keys: ObjectKeys
  /** Only this host's own packs are deduplicated against. 32 hex digits. */
  readonly hostId: string
  /** A host that may write alone lists no packs of others: its index would count as forged. */
  readonly role: Role
  /** Where opened copies of index objects are kept, still sealed. */
  readonly cacheDirectory: string
}

/** Learns which chunks are stored, from the index objects of all sinks, and from the footers of packs that they do not list. */
export async function loadIndex(options: LoadIndexOptions): Promise<LoadedIndex> {
  const { replicas, hostId, role } = options
  const index = new ChunkIndex()
  const listed = new Set<string>()
  const usable = (name: string) =>
    replicas.some(({ listing }) => listing.packs.has(name)) &&
    replicas.every(({ listing }) => listing.isReliable(name))
  const add = (pack: IndexedPack) => {
    const footer = decodeFooterContent(pack.footer)
    if (Buffer.from(footer.hostId).toString('hex') !== hostId || !usable(pack.name)) return
    for (const [i, chunk] of footer.chunks.entries())
      index.addPacked(chunk.id, chunk.kind, chunk.rawLength, pack.name, i)
  }

  const keys = new Set(replicas.flatMap(({ listing }) => [...listing.indexes.keys()]))
  // Without copies the index is fetched each time: no reason for a run to fail.
  await forgetOthers(options.cacheDirectory, keys).catch(() => undefined)
  for await (const { packs = [] } of readIndexes(options)) {
    for (const pack of packs) {
      if (listed.has(pack.name)) continue
      excludeOfOtherLength(pack, replicas)
      listed.add(pack.name)
      add(pack)
    }
  }

  const unlisted: IndexedPack[] = []
  for (const replica of replicas) {
    const names = [...replica.listing.packs].filter(([name]) => !listed.has(name))
    const read = async ([name, { sizeBytes }]: (typeof names)[number]) => ({
      name,
      sizeBytes,
      footer: await footerOf(replica, name, sizeBytes),
    })
    for await (const { name, sizeBytes, footer } of mapAhead(names, read, { atOnce: FOOTERS_AT_ONCE })) {
      // Not a pack, or a damaged one: nothing rests on it, and another sink may have it whole.
      if (!footer) continue
      const pack = { name, sizeBytes, footer }
      add(pack)
      if (role === 'maintain' || hostIdOf(footer) === hostId) unlisted.push(pack)
      listed.add(name)
    }
  }
  return { index, unlisted }
}

/** A pack of another length than its index says counts as absent: it is brought back from another sink, or stored again. */
function excludeOfOtherLength({ name, sizeBytes }: IndexedPack, replicas: readonly Replica[]): void {
  for (const replica of replicas) {
    const stored = replica.listing.packs.get(name)
    if (!stored || stored.sizeBytes === sizeBytes) continue
    const key = packKey(name)
    replica.found(key, 'corrupt', `${key} is damaged: it has ${stored.sizeBytes} bytes, not ${sizeBytes}`)
  }
}

async function footerOf(replica: Replica, name: string, sizeBytes: number): Promise<Uint8Array | undefined> {
  const { sink, context } = replica
  const key = packKey(name)
  try {
    return await readPackFooter(sink, name, sizeBytes, context.keys, context.signal)
  } catch (error) {
    if (hasCode(error, 'corrupt') && error instanceof Error) replica.found(key, 'corrupt', error.message)
    else if (hasCode(error, 'not-found')) replica.exclude(key)
    else replica.report(error)
    return undefined
  }
}

export interface ReadIndex {
  readonly key: string
  readonly sizeBytes: number
  /** None when no sink has it whole: they are found by their footers; undefined when one that does not answer may have it. */
  readonly packs: readonly IndexedPack[] | undefined
}

type ReadIndexesOptions = Omit<LoadIndexOptions, 'hostId' | 'role'>

/** Reads all the index objects, one after the other: this host's copy of each, or that of the first sink that has it whole. */
export async function* readIndexes(options: ReadIndexesOptions): AsyncGenerator<ReadIndex> {
  const listed = new Map(options.replicas.flatMap(({ listing }) => [...listing.indexes]))
  const indexes = [...listed].map(([key, { sizeBytes }]) => ({ key, sizeBytes }))
  const read = async (index: (typeof indexes)[number]) => ({
    ...index,
    packs: await readIndex(index.key, options),
  })
  yield* mapAhead(indexes, read, INDEXES_AHEAD)
}

async function readIndex(
  key: string,
  { replicas, keys, cacheDirectory }: ReadIndexesOptions,
): Promise<readonly IndexedPack[] | undefined> {
  const cached = join(cacheDirectory, key.slice('index/'.length))
  try {
    return openIndex(keys, key, await readFile(cached))
  } catch {
    // Not there or damaged: the sinks have it.
  }
  const read = await readFromAny(replicas, key, (object) => ({
    object,
    packs: openIndex(keys, key, object),
  }))
  if (typeof read === 'string') return read === 'lost' ? [] : undefined
  await keepCopy(cached, read.object)
  return read.packs
}

/** A full disk must not look like a damaged sink: without a copy the index is fetched again next time. */
async function keepCopy(path: string, object: Uint8Array): Promise<void> {
  try {
    await writeFile(`${path}.new`, object, { mode: 0o600 })
    await rename(`${path}.new`, path)
  } catch {
    await rm(`${path}.new`, { force: true }).catch(() => undefined)
  }
}

async function forgetOthers(directory: string, keys: ReadonlySet<string>): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  for (const name of await readdir(directory)) {
    if (!keys.has(`index/${name}`)) await rm(join(directory, name), { force: true })
  }
}

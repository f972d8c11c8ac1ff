import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toError } from '@pipe-backup/sink'
import { decodeIndex, type IndexedPack } from '../format/index-object.ts'
import { decodeFooterContent, packKey } from '../format/pack-format.ts'
import { openObject } from '../format/sealed-object.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { ChunkIndex } from './chunk-index.ts'
import { damageOf } from './damage-of.ts'
import { readPackFooter } from './read-pack-footer.ts'
import { getObject } from './read-sink.ts'
import type { SinkView } from './sink-view.ts'

export interface LoadedIndex {
  readonly index: ChunkIndex
  /** Packs that a sink holds but no index lists: an earlier run was cut short. They are reused, and listed by this run. */
  readonly unlisted: IndexedPack[]
}

export interface LoadIndexOptions {
  readonly views: readonly SinkView[]
  readonly indexKey: Uint8Array
  /** Only this host's own packs are deduplicated against. 32 hex digits. */
  readonly hostId: string
  /** Where opened copies of index objects are kept, still sealed. */
  readonly cacheDirectory: string
  readonly onProblem: (sink: string, error: Error) => void
  readonly signal?: AbortSignal | undefined
}

/** Learns which chunks are stored, from the index objects of all sinks, and from the footers of packs that they do not list. */
export async function loadIndex(options: LoadIndexOptions): Promise<LoadedIndex> {
  const { views, indexKey, hostId, onProblem } = options
  const index = new ChunkIndex()
  const listed = new Set<string>()
  const usable = (name: string) =>
    views.some((view) => view.packs.has(name)) && !views.some((view) => view.condemned.has(name))
  const add = (pack: IndexedPack) => {
    const footer = decodeFooterContent(pack.footer)
    if (Buffer.from(footer.hostId).toString('hex') !== hostId || !usable(pack.name)) return
    for (const [i, chunk] of footer.chunks.entries())
      index.addPacked(chunk.id, chunk.kind, chunk.rawLength, pack.name, i)
  }

  const keys = new Set(views.flatMap((view) => [...view.indexes.keys()]))
  // Without copies the index is fetched each time: no reason for a run to fail.
  await forgetOthers(options.cacheDirectory, keys).catch(() => undefined)
  for (const key of keys) {
    for (const pack of (await readIndex(key, options)) ?? []) {
      if (listed.has(pack.name)) continue
      forgetDamaged(pack, options)
      listed.add(pack.name)
      add(pack)
    }
  }

  const unlisted: IndexedPack[] = []
  for (const view of views) {
    for (const [name, { sizeBytes }] of view.packs) {
      if (listed.has(name)) continue
      try {
        const footer = await readPackFooter(view.sink, name, sizeBytes, indexKey, options.signal)
        const pack = { name, sizeBytes, footer }
        add(pack)
        unlisted.push(pack)
        listed.add(name)
      } catch (error) {
        options.signal?.throwIfAborted()
        // Not a pack, or a damaged one: nothing rests on it, and another sink may have it whole.
        if (damageOf(error) !== undefined) view.packs.delete(name)
        onProblem(view.sink.name, toError(error))
      }
    }
  }
  return { index, unlisted }
}

/** A pack of another length than its index says counts as absent: it is brought back from another sink, or stored again. */
function forgetDamaged({ name, sizeBytes }: IndexedPack, { views, onProblem }: LoadIndexOptions): void {
  for (const { sink, packs } of views) {
    const stored = packs.get(name)
    if (!stored || stored.sizeBytes === sizeBytes) continue
    packs.delete(name)
    const key = packKey(name)
    const message = `sink "${sink.name}": ${key} is damaged: it has ${stored.sizeBytes} bytes, not ${sizeBytes}`
    onProblem(sink.name, new VaultError('corrupt', message, { sink: sink.name, key }))
  }
}

/**
 * Reads an index object: this host's copy, or that of the first sink that has it whole.
 * @returns no packs when none has it whole; undefined when one that does not answer may have it
 */
export async function readIndex(
  key: string,
  options: Omit<LoadIndexOptions, 'hostId'>,
): Promise<IndexedPack[] | undefined> {
  const { views, indexKey, cacheDirectory, onProblem, signal } = options
  const cached = join(cacheDirectory, key.slice('index/'.length))
  try {
    return decodeIndex(openObject(indexKey, key, await readFile(cached)))
  } catch {
    // Not there or damaged: the sinks have it.
  }
  let isAnswered = true
  for (const view of views) {
    if (!view.indexes.has(key)) continue
    try {
      const object = await getObject(view.sink, key, signal)
      const packs = decodeIndex(openObject(indexKey, key, object))
      await keepCopy(cached, object)
      return packs
    } catch (error) {
      signal?.throwIfAborted()
      if (damageOf(error) === undefined) isAnswered = false
      else view.indexes.delete(key)
      // Gone since the listing: a prune has merged it into another.
      if (!hasCode(error, 'not-found')) onProblem(view.sink.name, toError(error))
    }
  }
  // Its packs are found by their footers.
  return isAnswered ? [] : undefined
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

import { createHash } from 'node:crypto'
import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { Extents } from '../format/extents.ts'
import { decodeFooterContent } from '../format/pack-format.ts'
import type { SnapshotHead } from '../format/snapshot-object.ts'
import { type ChunkLocations, locateChunks } from '../restore/chunk-locations.ts'
import { ChunkReader } from '../restore/chunk-reader.ts'
import { type ReadsChunks, walkExtents, walkManifest } from '../restore/walk-manifest.ts'
import { ChunkIndex } from '../store/chunk-index.ts'
import { damageOf } from '../store/damage.ts'
import type { Replica } from '../store/replica.ts'
import { VaultError } from '../vault-error.ts'

export interface CheckManifestsOptions {
  readonly replicas: readonly Replica[]
  readonly keys: VaultKeys
  /** Keys of index objects that are false. */
  readonly distrusted: ReadonlySet<string>
  readonly signal?: AbortSignal | undefined
}

/**
 * Walks every manifest of every snapshot: all the chunks that it uses must be there, long enough, and counted as live by the
 * snapshot, for a prune goes by that. Data chunks are not read: their packs have been opened.
 */
export async function checkManifests(options: CheckManifestsOptions): Promise<void> {
  const { replicas, signal } = options
  const sinks = replicas.filter(({ error }) => !error).map(({ sink }) => sink)
  for (const { key, head, shownBy } of versionsOf(replicas)) {
    signal?.throwIfAborted()
    const away: SinkFailure[] = []
    const wrong = await checkSnapshot(head, sinks, away, options)
    for (const { sink, error } of away) {
      const replica = replicas.find(({ name }) => name === sink)
      if (replica) replica.error ??= error
    }
    // What could not be read may be whole on a sink that did not answer.
    if (wrong === undefined || away.length > 0) continue
    // No other sink has it better: it is as it was written.
    for (const replica of shownBy)
      replica.found(key, 'corrupt', `${key} can't be restored in full: ${wrong}`, { isHealable: false })
  }
}

interface SinkFailure {
  readonly sink: string
  readonly error: Error
}

interface SnapshotVersion {
  readonly key: string
  readonly head: SnapshotHead
  readonly shownBy: Replica[]
}

/** The snapshots as sinks have them: one that missed a compaction names other packs. */
function versionsOf(replicas: readonly Replica[]): Iterable<SnapshotVersion> {
  const versions = new Map<string, SnapshotVersion>()
  for (const replica of replicas) {
    for (const [key, head] of replica.heads) {
      const digest = createHash('sha256').update(JSON.stringify(head.packs)).digest('hex')
      const known = versions.get(`${key} ${digest}`)
      if (known) known.shownBy.push(replica)
      else versions.set(`${key} ${digest}`, { key, head, shownBy: [replica] })
    }
  }
  return versions.values()
}

/** @param away - gets the sinks that did not answer @returns what is wrong with it, or undefined */
async function checkSnapshot(
  head: SnapshotHead,
  sinks: readonly Sink[],
  away: SinkFailure[],
  { keys, distrusted, signal }: CheckManifestsOptions,
): Promise<string | undefined> {
  // What is missing or damaged has been reported, object by object: here it only matters what depends on it.
  const onProblem = (error: Error) => {
    if (damageOf(error) === undefined && 'sink' in error && typeof error.sink === 'string')
      away.push({ sink: error.sink, error })
  }
  const reading = { onProblem, signal }
  const packs = new Set(head.packs.map(([name]) => name))
  const locations = await locateChunks({ sinks, keys, packs, distrusted, ...reading })
  const chunks = await ChunkReader.open({ sinks, keys, locations, ...reading })
  const live = liveChunks(head, locations)
  const counting: ReadsChunks = {
    read: (id) => {
      if (!live.has(id)) throw new VaultError('corrupt', 'it does not count a node of its manifest as live')
      return chunks.read(id)
    },
  }
  for (const { name, root } of head.sources) {
    if (root === undefined) continue
    try {
      for await (const entry of walkManifest(counting, Buffer.from(root, 'hex'), undefined)) {
        signal?.throwIfAborted()
        if (entry.type !== 'file') continue
        for await (const extents of walkExtents(counting, entry.content)) {
          const wrong = checkExtents(extents, live, locations)
          if (wrong !== undefined) return `${name}/${Buffer.from(entry.path).toString()} ${wrong}`
        }
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof VaultError)) throw error
      return error.message
    }
  }
  return undefined
}

function checkExtents(extents: Extents, live: ChunkIndex, locations: ChunkLocations): string | undefined {
  for (let i = 0; i < extents.count; i++) {
    const id = extents.id(i)
    const location = locations.find(id)[0]
    if (!location) return 'uses a chunk that is in none of its packs'
    if (!live.has(id)) return 'uses a chunk that the snapshot does not count as live'
    if (extents.offset(i) + extents.length(i) > location.chunk.rawLength)
      return 'uses more of a chunk than there is'
  }
  return undefined
}

/** The chunks whose bits are set in the snapshot's bitmaps. */
function liveChunks(head: SnapshotHead, locations: ChunkLocations): ChunkIndex {
  const bitmaps = new Map(head.packs.map(([name, bitmap]) => [name, Buffer.from(bitmap, 'base64')]))
  const live = new ChunkIndex()
  for (const { name, footer } of locations.packs()) {
    const bitmap = bitmaps.get(name)
    for (const [i, { id, kind, rawLength }] of decodeFooterContent(footer).chunks.entries()) {
      if ((bitmap?.[i >> 3] ?? 0) & (1 << (i & 7))) live.addPacked(id, kind, rawLength, name, i)
    }
  }
  return live
}

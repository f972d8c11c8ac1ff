import type { ObjectKeys } from '@pipe-backup/crypto'
import type { ObjectInfo, Sink } from '@pipe-backup/sink'
import { markIdOf } from '../format/mark-object.ts'
import { packNameOf } from '../format/pack-format.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import type { Trash } from '../format/trash-object.ts'
import type { VaultError } from '../vault-error.ts'
import { isGrantKey } from './grant.ts'
import { listObjects } from './read-sink.ts'
import { readTrash } from './read-trash.ts'
import { sessionIdOf } from './session.ts'

export interface StoredObject {
  readonly sizeBytes: number
  /** By the sink's own clock. */
  readonly storedAt: Date
}

type Objects = ReadonlyMap<string, StoredObject>

/** What a sink lists of a vault. */
export interface Listing {
  /** By name. Empty and hopelessly short objects count as absent. */
  readonly packs: Objects
  /** By key, as all that follows; empty ones count as absent. */
  readonly indexes: Objects
  readonly grants: Objects
  readonly snapshots: Objects
  /** Where they were asked for; else empty. */
  readonly marks: Objects
  readonly trash: ReadonlyMap<string, Trash & StoredObject>
  /** Trash objects that do not open, and why. */
  readonly badTrash: ReadonlyMap<string, VaultError>
  /** By id. */
  readonly sessions: Objects
  /** Keys of objects that are too short to be anything. */
  readonly truncated: ReadonlySet<string>
  /** Packs that a prune has condemned: nothing new may rest on them. */
  readonly condemned: ReadonlySet<string>
  /** Packs of which a healing says that they are damaged on every sink: nothing new may rest on them either. */
  readonly unrecoverable: ReadonlySet<string>
  /** Ids of snapshots that a prune has removed. */
  readonly removed: ReadonlySet<string>
  /** Keys of objects that are listed, and count as absent. */
  readonly excluded: ReadonlySet<string>
  /** Whether an object is listed, be it known to be damaged. */
  shows(key: string): boolean
  /** Whether something new may rest on a pack, if it is there. */
  isReliable(pack: string): boolean
}

const MIN_PACK_BYTES = 100

/** A listing that is kept up to date. */
export class CurrentListing implements Listing {
  readonly packs: Map<string, StoredObject> = new Map()
  readonly indexes: Map<string, StoredObject> = new Map()
  readonly grants: Map<string, StoredObject> = new Map()
  readonly snapshots: Map<string, StoredObject> = new Map()
  readonly marks: Map<string, StoredObject> = new Map()
  readonly sessions: Map<string, StoredObject> = new Map()
  readonly truncated: Set<string> = new Set()
  readonly excluded: Set<string> = new Set()
  trash: Listing['trash'] = new Map()
  badTrash: Listing['badTrash'] = new Map()
  condemned: ReadonlySet<string> = new Set()
  unrecoverable: ReadonlySet<string> = new Set()
  removed: ReadonlySet<string> = new Set()

  /**
   * Lists a sink. Sessions first: one that is seen to have ended has shown its snapshot before. Snapshots before packs: what a
   * snapshot needs was there before it.
   * @param grants - what is below `grants/`, where that has been listed just now
   * @param withMarks - whether to list those too: a backup does without them
   * @throws SinkError
   */
  static async of(
    sink: Sink,
    keys: ObjectKeys,
    signal: AbortSignal | undefined,
    grants: readonly ObjectInfo[] | undefined,
    withMarks = false,
  ): Promise<CurrentListing> {
    const listing = new CurrentListing()
    const list = (prefix: string): Promise<void> =>
      listing.#add(prefix === 'grants/' && grants ? grants : listObjects(sink, prefix, signal))
    await list('sessions/')
    const { trash, bad } = await readTrash(sink, keys, signal)
    listing.trash = trash
    listing.badTrash = bad
    listing.condemned = new Set([...trash.values()].flatMap(({ packs }) => packs))
    listing.unrecoverable = new Set([...trash.values()].flatMap(({ damaged = [] }) => damaged))
    listing.removed = new Set([...trash.values()].flatMap(({ snapshots }) => snapshots))
    const marks = withMarks ? ['marks/'] : []
    await Promise.all(['snapshots/', ...marks, 'index/', 'grants/'].map(list))
    await list('packs/')
    return listing
  }

  has(key: string): boolean {
    const place = this.#placeOf(key)
    return place?.objects.has(place.name) ?? false
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    this.excluded.delete(key)
    const place = this.#placeOf(key)
    return place?.objects.delete(place.name) ?? false
  }

  shows(key: string): boolean {
    return this.has(key) || this.excluded.has(key)
  }

  isReliable(pack: string): boolean {
    return !this.condemned.has(pack) && !this.unrecoverable.has(pack)
  }

  /** An object counts as absent, and is listed all the same. */
  exclude(key: string): void {
    if (this.excluded.has(key) || this.delete(key)) this.excluded.add(key)
  }

  set(key: string, object: StoredObject): void {
    this.excluded.delete(key)
    const place = this.#placeOf(key)
    place?.objects.set(place.name, object)
  }

  async #add(objects: Iterable<ObjectInfo> | AsyncIterable<ObjectInfo>): Promise<void> {
    for await (const { key, sizeBytes, storedAt } of objects) {
      const place = this.#placeOf(key)
      if (!place) continue
      if (sizeBytes < place.minBytes) this.truncated.add(key)
      else place.objects.set(place.name, { sizeBytes, storedAt })
    }
  }

  /** Among which objects a key belongs, and by which name it is known there; undefined for a key of no such kind. */
  #placeOf(
    key: string,
  ):
    | { readonly objects: Map<string, StoredObject>; readonly name: string; readonly minBytes: number }
    | undefined {
    const pack = packNameOf(key)
    if (pack !== undefined) return { objects: this.packs, name: pack, minBytes: MIN_PACK_BYTES }
    const session = sessionIdOf(key)
    if (session !== undefined) return { objects: this.sessions, name: session, minBytes: 0 }
    if (snapshotIdOf(key) !== undefined) return { objects: this.snapshots, name: key, minBytes: 1 }
    if (markIdOf(key) !== undefined) return { objects: this.marks, name: key, minBytes: 1 }
    if (key.startsWith('index/')) return { objects: this.indexes, name: key, minBytes: 1 }
    return isGrantKey(key) ? { objects: this.grants, name: key, minBytes: 1 } : undefined
  }
}

/** Keys of the snapshots, marks and grants of a listing, damaged and truncated ones as well. */
export function shownSmallObjects({ snapshots, marks, grants, excluded, truncated }: Listing): string[] {
  const isShown = (key: string): boolean =>
    snapshotIdOf(key) !== undefined || markIdOf(key) !== undefined || isGrantKey(key)
  const listed = [snapshots, marks, grants].flatMap((objects) => [...objects.keys()])
  return [...listed, ...[...excluded, ...truncated].filter(isShown)]
}

/** Keys of the snapshots of a listing, damaged ones as well. */
export function shownSnapshots({ snapshots, excluded }: Listing): string[] {
  return [...snapshots.keys(), ...[...excluded].filter((key) => snapshotIdOf(key) !== undefined)]
}

/** Keys of the marks of a listing, damaged and truncated ones as well. */
export function shownMarks({ marks, excluded, truncated }: Listing): string[] {
  return [...marks.keys(), ...[...excluded, ...truncated].filter((key) => markIdOf(key) !== undefined)]
}

/** All that is listed and not known to be damaged, but for sessions. */
export function storedObjects({ packs, indexes, grants, snapshots, marks, trash }: Listing): StoredObject[] {
  return [packs, indexes, grants, snapshots, marks, trash].flatMap((objects: Objects) => [
    ...objects.values(),
  ])
}

export function totalBytes(listing: Listing): number {
  return storedObjects(listing).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

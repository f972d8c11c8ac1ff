import { toError } from '@pipe-backup/sink'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { type ListedEntry, toListed } from './listed-entry.ts'
import { mergeManifests } from './merge-manifests.ts'
import { type OpenSnapshotsOptions, openChunks } from './open-chunks.ts'

export interface FindOptions extends OpenSnapshotsOptions {
  /** Whether anything of a source is wanted. Default: of all. */
  readonly wantsSource?: ((source: string) => boolean) | undefined
  /** Whether an entry is wanted, by its path within its source. */
  readonly matches: (path: Uint8Array, isDirectory: boolean) => boolean
  /** The only path, within a source, at or below which anything can match; undefined for no such path. */
  readonly below?: Uint8Array | undefined
  /** Called for a part of these snapshots that can't be searched; without this the search ends with the error. */
  readonly onUnreadable?:
    | ((error: Error, source: string, snapshots: readonly SnapshotInfo[]) => void)
    | undefined
}

/** One state of an entry, and the snapshots that have it so, in the order in which they were given. */
export interface FoundEntry {
  readonly source: string
  readonly entry: ListedEntry
  readonly snapshots: readonly SnapshotInfo[]
}

/**
 * Finds entries in many snapshots at once, source by source in the order of their paths. What snapshots have in common is read once, so that
 * an unchanged tree costs the same in a thousand snapshots as in one. An entry that changed is found once for each state, the oldest first.
 */
export async function* findEntries(options: FindOptions): AsyncGenerator<FoundEntry> {
  const { snapshots, wantsSource = () => true, matches, below, onUnreadable, signal } = options
  const chunks = await openChunks(options)
  const names = new Set(snapshots.flatMap((snapshot) => snapshot.head.sources.map(({ name }) => name)))
  for (const source of [...names].filter(wantsSource)) {
    const holders = snapshotsByRoot(source, snapshots)
    const roots = [...holders.keys()].map((root) => Buffer.from(root, 'hex'))
    const byManifest = [...holders.values()]
    const holding = (manifests: readonly number[]): SnapshotInfo[] => {
      const wanted = new Set(manifests.flatMap((manifest) => byManifest[manifest] ?? []))
      return snapshots.filter((_, i) => wanted.has(i))
    }
    const merged = mergeManifests(chunks, roots, {
      below,
      matches,
      ...(onUnreadable && {
        onUnreadable: (error: unknown, manifests: readonly number[]) => {
          signal?.throwIfAborted()
          onUnreadable(toError(error), source, holding(manifests))
        },
      }),
    })
    for await (const { found } of merged) {
      signal?.throwIfAborted()
      const states = new Map<string, { entry: ListedEntry; manifests: number[] }>()
      for (const { entry, manifests } of found) {
        const listed = toListed(source, entry)
        const known = states.get(stateOf(listed))
        if (known) known.manifests.push(...manifests)
        else states.set(stateOf(listed), { entry: listed, manifests: [...manifests] })
      }
      const sorted = [...states.values()]
        .map(({ entry, manifests }) => ({ source, entry, snapshots: holding(manifests) }))
        .sort((a, b) => oldest(a, snapshots) - oldest(b, snapshots))
      yield* sorted
    }
  }
}

/** The manifests of a source, each once, and which snapshots have it. */
function snapshotsByRoot(source: string, snapshots: readonly SnapshotInfo[]): Map<string, number[]> {
  const holders = new Map<string, number[]>()
  for (const [i, { head }] of snapshots.entries()) {
    const root = head.sources.find(({ name }) => name === source)?.root
    if (root === undefined) continue
    const known = holders.get(root)
    if (known) known.push(i)
    else holders.set(root, [i])
  }
  return holders
}

/** The same for entries that a list shows the same. A file that was only stored again is no other state. */
function stateOf(entry: ListedEntry): string {
  return JSON.stringify(entry, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

function oldest({ snapshots: [first] }: FoundEntry, all: readonly SnapshotInfo[]): number {
  return first ? all.indexOf(first) : all.length
}

import type { ManifestEntry } from '../format/manifest-node.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { type ChangedPart, changedParts, type FileInManifest } from './changed-parts.ts'
import { type ListedEntry, toListed } from './listed-entry.ts'
import { mergeManifests } from './merge-manifests.ts'
import { type OpenSnapshotsOptions, openChunks } from './open-chunks.ts'
import { type ReadsChunks, walkManifest } from './walk-manifest.ts'

export interface DiffOptions extends Omit<OpenSnapshotsOptions, 'snapshots'> {
  readonly before: SnapshotInfo
  readonly after: SnapshotInfo
}

/** A path where the snapshots differ. */
export type Difference =
  | { readonly kind: 'added'; readonly after: ListedEntry }
  | { readonly kind: 'removed'; readonly before: ListedEntry }
  | {
      readonly kind: 'changed'
      readonly before: ListedEntry
      readonly after: ListedEntry
      /** At least one. */
      readonly parts: readonly ChangedPart[]
    }

/**
 * Compares two snapshots, source by source in the order of their paths. What they share is not read, and of the rest little is held at a time. A source
 * that failed in one of them is passed over; one that is in one of them alone was added, or removed, with all that is in it.
 */
export async function* diffSnapshots(options: DiffOptions): AsyncGenerator<Difference> {
  const { before, after, signal } = options
  const chunks = await openChunks({ ...options, snapshots: [before, after] })
  const snapshots = [before, after]
  const names = new Set(snapshots.flatMap(({ head }) => head.sources.map(({ name }) => name)))
  for (const source of names) {
    const found = snapshots.map(({ head }) => head.sources.find(({ name }) => name === source))
    if (found.some((one) => one && one.root === undefined)) continue
    const roots = found.map((one) => (one?.root === undefined ? undefined : Buffer.from(one.root, 'hex')))
    for await (const merged of mergeManifests(chunks, roots, { skipShared: true })) {
      signal?.throwIfAborted()
      const [old, now] = [0, 1].map(
        (manifest) => merged.found.find(({ manifests }) => manifests.includes(manifest))?.entry,
      )
      if (old && now) {
        const parts = await changedParts(
          chunks,
          { entry: old, file: () => fileOf(chunks, roots[0], old) },
          { entry: now, file: () => fileOf(chunks, roots[1], now) },
        )
        if (parts.length > 0)
          yield { kind: 'changed', before: toListed(source, old), after: toListed(source, now), parts }
      } else if (now) yield { kind: 'added', after: toListed(source, now) }
      else if (old) yield { kind: 'removed', before: toListed(source, old) }
    }
  }
}

/** The file that an entry is a name of; undefined where the snapshot lacks it. */
async function fileOf(
  chunks: ReadsChunks,
  root: Uint8Array | undefined,
  entry: ManifestEntry,
): Promise<FileInManifest | undefined> {
  if (entry.type === 'file') return entry
  if (entry.type !== 'hardlink' || !root) return undefined
  for await (const target of walkManifest(chunks, root, [entry.linkTo]))
    return target.type === 'file' ? target : undefined
  return undefined
}

import type { ManifestEntry } from '../format/manifest-node.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { type ListedEntry, toListed } from './listed-entry.ts'
import { mergeManifests } from './merge-manifests.ts'
import { type OpenSnapshotsOptions, openChunks } from './open-chunks.ts'
import { sameContent } from './same-content.ts'
import { type ReadsChunks, walkManifest } from './walk-manifest.ts'

export interface DiffOptions extends Omit<OpenSnapshotsOptions, 'snapshots'> {
  readonly before: SnapshotInfo
  readonly after: SnapshotInfo
}

/** In what an entry is another one. `content` is also where a link points to, and which device one is. */
export type ChangedPart = 'type' | 'content' | 'mode' | 'owner' | 'attributes' | 'mtime'

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
        const parts = await changedParts(chunks, roots, old, now)
        if (parts.length > 0)
          yield { kind: 'changed', before: toListed(source, old), after: toListed(source, now), parts }
      } else if (now) yield { kind: 'added', after: toListed(source, now) }
      else if (old) yield { kind: 'removed', before: toListed(source, old) }
    }
  }
}

async function changedParts(
  chunks: ReadsChunks,
  roots: readonly (Uint8Array | undefined)[],
  old: ManifestEntry,
  now: ManifestEntry,
): Promise<ChangedPart[]> {
  const parts: ChangedPart[] = []
  // A file with two names is a file and a link to it; which is which depends on the names alone.
  if (kindOf(old) !== kindOf(now)) parts.push('type')
  else if (!(await isSame(chunks, roots, old, now))) parts.push('content')
  if (old.mode !== now.mode) parts.push('mode')
  if (old.uid !== now.uid || old.gid !== now.gid || old.user !== now.user || old.group !== now.group)
    parts.push('owner')
  if (!sameAttributes(old, now)) parts.push('attributes')
  if (old.mtimeNs !== now.mtimeNs) parts.push('mtime')
  return parts
}

/** A name that is a link has those of its file, which is in the list too. */
function sameAttributes(old: ManifestEntry, now: ManifestEntry): boolean {
  if (old.type === 'hardlink' || now.type === 'hardlink') return true
  const [before, after] = [old.attributes ?? [], now.attributes ?? []]
  return (
    before.length === after.length &&
    before.every(({ name, value }, i) => {
      const other = after[i]
      return other && Buffer.compare(name, other.name) === 0 && Buffer.compare(value, other.value) === 0
    })
  )
}

function kindOf({ type }: ManifestEntry): ManifestEntry['type'] {
  return type === 'hardlink' ? 'file' : type
}

async function isSame(
  chunks: ReadsChunks,
  roots: readonly (Uint8Array | undefined)[],
  old: ManifestEntry,
  now: ManifestEntry,
): Promise<boolean> {
  switch (now.type) {
    case 'file':
    case 'hardlink': {
      const [first, second] = [await fileOf(chunks, roots[0], old), await fileOf(chunks, roots[1], now)]
      if (!first || !second) return first === second
      return first.size === second.size && (await sameContent(chunks, first.content, second.content))
    }
    case 'symlink':
      return old.type === now.type && Buffer.compare(old.target, now.target) === 0
    case 'character-device':
    case 'block-device':
      return old.type === now.type && old.major === now.major && old.minor === now.minor
    case 'directory':
    case 'fifo':
      return true
  }
}

/** The file that an entry is a name of; undefined where the snapshot lacks it. */
async function fileOf(
  chunks: ReadsChunks,
  root: Uint8Array | undefined,
  entry: ManifestEntry,
): Promise<Extract<ManifestEntry, { type: 'file' }> | undefined> {
  if (entry.type === 'file') return entry
  if (entry.type !== 'hardlink' || !root) return undefined
  for await (const target of walkManifest(chunks, root, [entry.linkTo]))
    return target.type === 'file' ? target : undefined
  return undefined
}

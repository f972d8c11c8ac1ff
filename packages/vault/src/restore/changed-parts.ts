import type { ManifestEntry } from '../format/manifest-node.ts'
import { sameContent } from './same-content.ts'
import type { ReadsChunks } from './walk-manifest.ts'

/** In what an entry is another one. `content` is also where a link points to, and which device one is. */
export type ChangedPart = 'type' | 'content' | 'mode' | 'owner' | 'attributes' | 'mtime'

export type FileInManifest = Extract<ManifestEntry, { type: 'file' }>

/** An entry, and how to find the file that it is a name of; undefined where the snapshot lacks it. */
export interface NamedEntry {
  readonly entry: ManifestEntry
  readonly file: () => Promise<FileInManifest | undefined>
}

/** In what one is another than the other; empty where they are the same. Of contents in other chunks, it reads up to the first difference. */
export async function changedParts(
  chunks: ReadsChunks,
  before: NamedEntry,
  after: NamedEntry,
): Promise<ChangedPart[]> {
  const parts: ChangedPart[] = []
  const [old, now] = [before.entry, after.entry]
  // A file with two names is a file and a link to it; which is which depends on the names alone.
  if (kindOf(old) !== kindOf(now)) parts.push('type')
  else if (!(await isSame(chunks, before, after))) parts.push('content')
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

async function isSame(chunks: ReadsChunks, before: NamedEntry, after: NamedEntry): Promise<boolean> {
  const [old, now] = [before.entry, after.entry]
  switch (now.type) {
    case 'file':
    case 'hardlink': {
      const [first, second] = [await before.file(), await after.file()]
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

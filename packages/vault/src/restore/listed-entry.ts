import type { Entry, FileEntry } from '@pipe-backup/source'
import type { ManifestEntry } from '../format/manifest-node.ts'

/** An entry as a list shows it: its path begins with its source's name, and a file's bytes are not at hand. */
export type ListedEntry = Exclude<Entry, { type: 'file' }> | Omit<FileEntry, 'open' | 'identity'>

/** @param source - the name that the entry's path gets before it */
export function toListed(source: string, entry: ManifestEntry): ListedEntry {
  const path = Buffer.from(`${source}/`)
  const named = { ...entry, path: Buffer.concat([path, entry.path]) }
  if (named.type === 'hardlink') return { ...named, linkTo: Buffer.concat([path, named.linkTo]) }
  if (named.type !== 'file') return named
  const { content: _content, ...listed } = named
  return listed
}

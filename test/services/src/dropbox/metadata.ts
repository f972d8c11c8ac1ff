import { nameOf, type Stored } from './account.ts'

/** `FileMetadata` or `FolderMetadata`, without the tag. */
export function metadataOf(stored: Stored): Record<string, unknown> {
  const { path, id } = stored
  const common = { name: nameOf(path), path_lower: path.toLowerCase(), path_display: path, id }
  if (stored.tag === 'folder') return common
  const modified = timestamp(stored.modified)
  return {
    ...common,
    client_modified: stored.clientModified ?? modified,
    server_modified: modified,
    rev: stored.rev,
    size: stored.blob.size,
    is_downloadable: true,
    content_hash: stored.blob.hash,
  }
}

/** In whole seconds, as `common.DropboxTimestamp`. */
function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

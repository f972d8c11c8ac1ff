import { ApiFailure } from './api-failure.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { type FileInfo, fileInfo } from './file-info.ts'

/** What is stored at a path, if it is a file. */
export async function findFile(
  api: DropboxApi,
  path: string,
  signal?: AbortSignal,
): Promise<FileInfo | undefined> {
  try {
    const metadata = await api.rpc((dropbox) => dropbox.filesGetMetadata({ path }), signal)
    return metadata['.tag'] === 'file' ? fileInfo(metadata) : undefined
  } catch (error) {
    if (error instanceof ApiFailure && error.has('not_found')) return undefined
    throw error
  }
}

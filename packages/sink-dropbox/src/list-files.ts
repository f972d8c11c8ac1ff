import type { Dropbox } from 'dropbox'
import { ApiFailure } from './api-failure.ts'
import type { DropboxApi } from './dropbox-api.ts'
import { type FileInfo, fileInfo } from './file-info.ts'
import { isJsonObject } from './json.ts'

/** No page has more entries. */
const PAGE_ENTRIES = 2000

/**
 * Every file below a folder; none when there is no such folder. '' is the root of what the app sees.
 * @throws ApiFailure `reset` when Dropbox has forgotten where it was: then the listing is to be begun again
 */
export async function* listFiles(
  api: DropboxApi,
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileInfo> {
  const first = {
    path: folder,
    recursive: true,
    include_non_downloadable_files: false,
    limit: PAGE_ENTRIES,
  }
  let at: string | undefined
  for (let more = true; more; ) {
    const from = at
    const next = (dropbox: Dropbox) =>
      from === undefined ? dropbox.filesListFolder(first) : dropbox.filesListFolderContinue({ cursor: from })
    const page = await api.rpc(next, signal).catch((error: unknown) => {
      // Before the first page: a folder that is not there, or a file in its place.
      const isAbsent = error instanceof ApiFailure && (error.has('not_found') || error.has('not_folder'))
      if (!isAbsent || from !== undefined) throw error
      return { entries: [], has_more: false, cursor: '' }
    })
    const { entries, has_more: hasMore, cursor } = page
    if (!Array.isArray(entries) || !entries.every(isJsonObject) || typeof cursor !== 'string')
      throw new ApiFailure(200, {}, 'a listing that is none')
    for (const entry of entries) if (entry['.tag'] === 'file') yield fileInfo(entry)
    more = hasMore === true
    at = cursor
  }
}

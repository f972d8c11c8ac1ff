import { ApiFailure } from './api-failure.ts'
import type { JsonObject } from './json.ts'

/** What Dropbox says of a file, checked. */
export interface FileInfo {
  readonly pathLower: string
  readonly sizeBytes: number
  readonly storedAt: Date
  readonly rev: string
  /** Of files that were made elsewhere it may be missing. */
  readonly contentHash: string | undefined
}

/** Of `FileMetadata`. @throws ApiFailure when it is none */
export function fileInfo(metadata: JsonObject): FileInfo {
  const { path_lower: pathLower, size, server_modified: modified, rev, content_hash: contentHash } = metadata
  const storedAt = new Date(typeof modified === 'string' ? modified : Number.NaN)
  if (
    typeof pathLower !== 'string' ||
    typeof size !== 'number' ||
    !Number.isSafeInteger(size) ||
    typeof rev !== 'string' ||
    Number.isNaN(storedAt.getTime())
  )
    throw new ApiFailure(200, {}, 'metadata that are none')
  return {
    pathLower,
    sizeBytes: size,
    storedAt,
    rev,
    contentHash: typeof contentHash === 'string' ? contentHash : undefined,
  }
}

import type { Dav } from '@pipe-backup/sink-webdav'
import type { Settling } from './settling.ts'

export interface UploadSettings {
  /** Of the user's files: the sink's folder. */
  readonly files: Dav
  /** Of the user's uploads. */
  readonly uploads: Dav
  /** Larger objects go in chunks of so many bytes; undefined where the server knows no chunks. */
  readonly chunkBytes: number | undefined
  /** No chunk is larger, in bytes. */
  readonly maxChunkBytes: number
  readonly settling: Settling
}

import type { PutOptions } from '@pipe-backup/sink'
import { type Dav, damaged, type HttpAnswer, readBack, type UploadTo } from '@pipe-backup/sink-webdav'

/**
 * `X-Hash` has the server hash what it writes; `OC-Checksum` is kept beside the file, for whoever reads it.
 * Nextcloud does not verify the latter: apps/dav/lib/Connector/Sabre/File.php
 */
export function hashHeaders(sha256: string): Record<string, string> {
  return { 'X-Hash': 'sha256', 'OC-Checksum': `SHA256:${sha256}`, 'Content-Type': 'application/octet-stream' }
}

/** Compares what the server says that it has received; where it says nothing, reads it back. @throws SinkError `corrupt` */
export async function checkArrival(
  files: Dav,
  to: UploadTo,
  { headers }: Pick<HttpAnswer, 'headers'>,
  sent: { readonly sizeBytes: number; readonly sha256: string },
  options: PutOptions,
): Promise<void> {
  const received = headers['x-hash-sha256']
  if (typeof received !== 'string') return readBack(files, to, sent, options)
  if (received.toLowerCase() !== sent.sha256) throw damaged(files.sink, to.key)
}

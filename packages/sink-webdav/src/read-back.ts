import { createHash } from 'node:crypto'
import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import type { Dav } from './dav.ts'
import { readRange } from './read-range.ts'
import type { UploadTo } from './uploads.ts'

/** What was sent. */
export interface Sent {
  readonly sizeBytes: number
  /** In hex. */
  readonly sha256: string
}

/** Asks for the size of what arrived. @throws SinkError `corrupt` */
export async function checkSize(
  dav: Dav,
  { path, key }: UploadTo,
  sizeBytes: number,
  { signal }: SinkOptions,
): Promise<void> {
  const there = await dav.info(path, { key, signal })
  if (there?.sizeBytes !== sizeBytes) throw otherSize(dav.sink, key, there?.sizeBytes, sizeBytes)
}

/** Reads back what arrived. @throws SinkError `corrupt` */
export async function readBack(
  dav: Dav,
  { path, key }: UploadTo,
  sent: Sent,
  options: SinkOptions,
): Promise<void> {
  const { signal, onBytes } = options
  const { sizeBytes, pieces, close } = await readRange(dav, path, key, {
    signal,
    onBytes,
  })
  if (sizeBytes !== sent.sizeBytes) {
    close?.()
    throw otherSize(dav.sink, key, sizeBytes, sent.sizeBytes)
  }
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  if (hash.digest('hex') !== sent.sha256) throw damaged(dav.sink, key)
}

export function damaged(sink: string, key: string): SinkError {
  const hint = 'Try again. If it stays so, test the memory of this machine and of the server.'
  return new SinkError('corrupt', 'what arrived is not what was sent', { sink, key, hint })
}

function otherSize(sink: string, key: string, arrived: number | undefined, sent: number): SinkError {
  const what = `of ${sent} bytes that were sent the server has ${arrived ?? 'none'}`
  const hint =
    arrived === 0
      ? 'Some servers lose requests of unknown length: they work with `put`, and not with long streams.'
      : 'Try again. If it stays so, look for limits in the server’s configuration.'
  return new SinkError('corrupt', what, { sink, key, hint })
}

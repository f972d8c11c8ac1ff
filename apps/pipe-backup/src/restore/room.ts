import { statfs } from 'node:fs/promises'
import { QUOTA_EXCEEDED } from '@pipe-backup/sink'
import { SourceError } from '@pipe-backup/source'
import { askNearest } from '../ask-nearest.ts'
import type { CliContext } from '../cli-context.ts'
import { formatBytes } from '../terminal/quantities.ts'
import type { Gauge } from '../terminal/show-gauge.ts'

const NO_ROOM = new Set<unknown>(['ENOSPC', QUOTA_EXCEEDED])

/** Warns before anything is written where the target has less free than is to be restored. @param directory - need not be there yet */
export async function warnOfRoom(
  directory: string,
  { totalBytes }: Pick<Gauge, 'totalBytes'>,
  { output }: Pick<CliContext, 'output'>,
): Promise<void> {
  if (totalBytes === undefined) return
  const free = await freeAt(directory)
  if (free === undefined || free >= totalBytes) return
  output.warn(
    `${directory} has ${formatBytes(free)} free, and ${formatBytes(totalBytes)} are to be restored: it goes well only where some of that is there already, or has holes`,
  )
}

/** The error of a restore, which says of a full target also how much of it is still to be written, where that is known. */
export function withMissing(error: unknown, { bytes, totalBytes }: Gauge): unknown {
  if (!(error instanceof SourceError) || totalBytes === undefined || totalBytes <= bytes) return error
  const { cause, code, path, message } = error
  if (!(cause instanceof Error && 'code' in cause && NO_ROOM.has(cause.code))) return error
  const hint = `${formatBytes(totalBytes - bytes)} are still to be written. ${error.hint ?? ''}`.trimEnd()
  return new SourceError(code, message, { path, hint, cause })
}

/** In bytes, of the file system that it is on, or will be; undefined where that does not say. */
async function freeAt(directory: string): Promise<number | undefined> {
  try {
    const { blocks, bavail, bsize } = await askNearest(directory, (nearest) => statfs(nearest))
    return blocks === 0 ? undefined : bavail * bsize
  } catch {
    return undefined
  }
}

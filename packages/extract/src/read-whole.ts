import type { FileEntry } from '@pipe-backup/source'

/**
 * Reads a file into memory as a whole.
 * @returns its length, or undefined when that is no less than the memory's, or it turned out to have extended attributes
 * @throws what reading throws; the abort's reason
 */
export async function readWhole(
  entry: FileEntry,
  into: Buffer,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const opening = entry.open()
  const reader = opening instanceof Promise ? await opening : opening
  try {
    if (entry.attributes !== undefined && entry.attributes.length > 0) return undefined
    let length = 0
    while (length < into.length) {
      const step = reader.read(length === 0 ? into : into.subarray(length))
      const got = typeof step === 'number' ? step : await step
      if (got === 0) {
        const end = reader.finish()
        if (end instanceof Promise) await end
        return length
      }
      signal?.throwIfAborted()
      length += got
    }
    return undefined
  } finally {
    const closing = reader.close()
    if (closing instanceof Promise) await closing
  }
}

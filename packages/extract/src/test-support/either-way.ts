import type { Entry } from '@pipe-backup/source'
import { type ExtractOptions, type ExtractReport, extractWithin } from '../extract.ts'
import { WRITE_LIMITS, type WriteLimits } from '../write-behind.ts'

/** Every small file is a batch of its own, and none is written on the thread that extracts. */
const BY_THREADS: WriteLimits = {
  threads: 2,
  hereFiles: 0,
  hereBytes: 0,
  fileBytes: 256 * 1024,
  batchBytes: 512 * 1024,
  batchFiles: 1,
}

export type Way = 'here' | 'by-threads'
let chosen: Way = 'here'

/** How `extract` below writes small files from now on. */
export function useWay(way: Way): void {
  chosen = way
}

/** For child processes, which are to do the same. */
export function way(): Way {
  return chosen
}

/** The package's `extract`, in whichever way was chosen: tests are run in both. */
export function extract(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  return extractWithin(chosen === 'here' ? WRITE_LIMITS : BY_THREADS, entries, directory, options)
}

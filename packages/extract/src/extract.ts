import { resolve } from 'node:path'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { Extraction } from './extraction.ts'
import { MetadataWriter } from './metadata-writer.ts'
import { makeTarget } from './target-errors.ts'
import { WRITE_LIMITS, type WriteLimits } from './write-behind.ts'

export type Overwrite = 'always' | 'changed' | 'never'

export interface ExtractOptions {
  readonly signal?: AbortSignal | undefined
  /** Restore owners, set-id bits, file capabilities and `trusted.*` attributes. Default: when run as root. */
  readonly ownership?: boolean | undefined
  /**
   * What becomes of what is there already under an entry's name: `always` writes it again, `changed` leaves a file of the same size and
   * modification time, and sets its other metadata, `never` leaves whatever is there as it is. Default `always`.
   */
  readonly overwrite?: Overwrite | undefined
  /**
   * Called with each entry that could not be written, and at the end, in a line for each reason, of attributes that could not be set; the rest goes on.
   * Without it the first one is thrown.
   */
  readonly onProblem?: ((problem: SourceProblem) => void) | undefined
  readonly onProgress?: ((entries: number, bytes: number) => void) | undefined
}

export interface ExtractReport {
  /** With those left as they were. */
  readonly entries: number
  /** That were written. */
  readonly bytes: number
  /** Files that were there already, of the same size and time, and left. */
  readonly unchanged: number
  /** What else was there, and left, as nothing was to be overwritten. */
  readonly kept: number
  readonly problems: number
}

/**
 * Writes entries into a directory, which is made when it is missing, and nothing outside it, whatever their paths and links say. What is there
 * already under an entry's name is replaced once the entry is whole, except directories, which stay, with what else is in them.
 * @throws SourceError, also when the disk is full, read-only or broken; the abort's reason
 */
export async function extract(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  return await extractWithin(WRITE_LIMITS, entries, directory, options)
}

/** As `extract`, with other limits for what threads write. */
export async function extractWithin(
  limits: WriteLimits,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  const path = resolve(directory)
  makeTarget(path)
  const metadata = await MetadataWriter.load(options.ownership ?? process.geteuid?.() === 0)
  return await new Extraction(path, metadata, options, limits).run(entries)
}

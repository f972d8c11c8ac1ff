import type { Readable } from 'node:stream'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { ArchiveReader } from './archive-reader.ts'
import { ByteInput } from './byte-input.ts'

export interface UnpackTarOptions {
  readonly signal?: AbortSignal
  /**
   * Told of each entry that is not taken: its path leads out of where it is unpacked, or its kind is not known. The rest goes on.
   * Without it, the first is thrown as a TarError. A damaged archive is thrown either way.
   */
  readonly onProblem?: (problem: SourceProblem) => void
}

/**
 * The entries of a tar stream: ustar, pax, GNU (long names, large numbers, all its formats of files with holes), star, and what came before.
 * Names are the bytes that the archive has. An entry's bytes can be read once, until the next entry is asked for, and are passed over
 * otherwise. The source is read to its very end, behind the archive's, so that a stream that checks itself there has done so.
 * @param source - read piece by piece as the entries are; closed when they are left early
 * @throws TarError `truncated`, `corrupt`, `too-large`, `unsafe-path`, `unsupported`; what the source throws; the abort's reason
 */
export async function* unpackTar(
  source: Readable | AsyncIterable<Uint8Array>,
  options: UnpackTarOptions = {},
): AsyncGenerator<Entry, void, undefined> {
  const input = new ByteInput(source, options.signal)
  const archive = new ArchiveReader(input, options.onProblem)
  try {
    for (let entry = await archive.next(); entry; entry = await archive.next()) yield entry
  } finally {
    await input.close()
  }
}

import { Readable } from 'node:stream'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { pack } from 'tar-stream'
import { addFile } from './add-file.ts'
import { Archive } from './archive.ts'

export interface PackTarOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * An entry of unknown length that is longer than this becomes several: `dump.sql.part-000001` and so on, each of so many bytes, which are
   * held in memory twice. Default 16 MiB.
   */
  readonly partBytes?: number | undefined
  /** So often a piece of such an entry is read on while nobody takes the archive: what writes it may not wait for ever. Default 5 s. */
  readonly pieceEveryMs?: number | undefined
  /** Called with each file that could not be read, and is left out, or that changed while it was read. Without it such a one is an error. */
  readonly onProblem?: ((problem: SourceProblem) => void) | undefined
}

const PIECE_BYTES = 512 * 1024
/** Small entries leave together: a piece for each header would cost more than its bytes. */
const GATHER_BYTES = 128 * 1024

/**
 * Entries as a tar stream in pax format: times in nanoseconds, paths of any bytes and length. Memory of a few pieces, whatever the size.
 * Fails with SourceError `changed` when a large file has fewer bytes than its entry says: nothing is padded.
 */
export function packTar(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: PackTarOptions = {},
): Readable {
  const { signal } = options
  return Readable.from(gathered(packed(entries, options)), {
    objectMode: false,
    highWaterMark: 1024 * 1024,
    signal,
  })
}

async function* packed(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: PackTarOptions,
): AsyncGenerator<Buffer> {
  const tar = pack({ highWaterMark: PIECE_BYTES })
  const closing = new AbortController()
  tar.once('close', () => closing.abort())
  const feeding = feed(new Archive(tar, closing.signal), entries, options).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  )
  try {
    for await (const piece of tar) yield piece as Buffer
  } finally {
    tar.destroy()
    await feeding
  }
}

async function feed(
  archive: Archive,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: PackTarOptions,
): Promise<void> {
  for await (const entry of entries) {
    options.signal?.throwIfAborted()
    if (entry.type === 'file') await addFile(archive, entry, options)
    else await archive.add(entry)
  }
}

/** Joins small pieces into larger ones. */
async function* gathered(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let small: Buffer[] = []
  let bytes = 0
  for await (const piece of source) {
    small.push(piece)
    bytes += piece.length
    if (bytes < GATHER_BYTES) continue
    if (piece.length < GATHER_BYTES) yield Buffer.concat(small)
    else {
      if (small.length > 1) yield Buffer.concat(small.slice(0, -1))
      yield piece
    }
    small = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(small)
}

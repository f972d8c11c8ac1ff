import { Readable } from 'node:stream'
import { type Entry, type EntryReader, type FileEntry, SourceError } from '@pipe-backup/source'
import { pack } from 'tar-stream'
import { Archive } from './archive.ts'

export interface PackTarOptions {
  readonly signal?: AbortSignal
  /** Up to so many bytes of an entry of unknown length are held in memory to learn it. Default 16 MiB. */
  readonly bufferBytes?: number
}

const PIECE_BYTES = 512 * 1024
const BUFFER_BYTES = 16 * 1024 * 1024
/** Small entries leave together: a piece for each header would cost more than its bytes. */
const GATHER_BYTES = 128 * 1024

/**
 * Entries as a tar stream in pax format: times in nanoseconds, paths of any bytes and length. Memory of a few pieces, whatever the size.
 * Fails with SourceError `changed` when a file has another number of bytes than its entry says: nothing is padded or cut.
 */
export function packTar(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  options: PackTarOptions = {},
): Readable {
  const { signal } = options
  return Readable.from(gathered(packed(entries, options)), {
    objectMode: false,
    highWaterMark: 1024 * 1024,
    ...(signal && { signal }),
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

async function addFile(archive: Archive, entry: FileEntry, options: PackTarOptions): Promise<void> {
  const reader = await entry.open()
  try {
    let size = entry.size
    let held: Buffer | undefined
    if (size === undefined) {
      held = await readAll(entry, reader, options.bufferBytes ?? BUFFER_BYTES)
      size = held.length
    }
    const body = held ? [held] : pieces(entry, reader, size)
    await archive.add({ ...entry, size, open: () => entry.open() }, body)
    await reader.finish()
  } finally {
    await reader.close()
  }
}

async function* pieces(entry: FileEntry, reader: EntryReader, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, left))
    for (let at = 0; at < piece.length; ) {
      const got = await reader.read(piece.subarray(at))
      if (got === 0) throw changed(entry, size)
      at += got
    }
    left -= piece.length
    yield piece
  }
  if ((await reader.read(Buffer.alloc(1))) !== 0) throw changed(entry, size)
}

async function readAll(entry: FileEntry, reader: EntryReader, mostBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let left = mostBytes; ; ) {
    const piece = Buffer.allocUnsafe(64 * 1024)
    const got = await reader.read(piece)
    if (got === 0) return Buffer.concat(pieces)
    left -= got
    if (left < 0) {
      const path = Buffer.from(entry.path).toString()
      throw new SourceError(
        'unreadable',
        `${path} is longer than ${mostBytes} bytes, and tar must know its length first`,
        {
          path,
          hint: 'Pipe it by itself, or write it to a file.',
        },
      )
    }
    pieces.push(piece.subarray(0, got))
  }
}

function changed(entry: Entry, wanted: number): SourceError {
  const path = Buffer.from(entry.path).toString()
  return new SourceError('changed', `${path} did not have its ${wanted} bytes any more when it was read`, {
    path,
    hint: 'Run it again.',
  })
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

import type { Entry, FileEntry } from '@pipe-backup/source'
import { ZipWriter } from '@zip.js/zip.js/lib/zip-core-writer.js'
import { contentOf } from '../commands/cat.ts'
import { zipNameOf } from './zip-names.ts'

/** Sizes from here on need zip64. */
const MAX_ZIP32_BYTES = 0xffff_ffff
const TYPES = { file: 0o100_000, symlink: 0o120_000, directory: 0o040_000 } as const
type Packed = Extract<Entry, { type: keyof typeof TYPES }>
/** What a zip has as a time: from 1980, in two seconds, in 128 years. */
const [EARLIEST, LATEST] = [Date.UTC(1980, 0, 2), Date.UTC(2107, 11, 30)]

export interface PackZipOptions {
  readonly signal: AbortSignal
  /** Gives the file that another name stands for: a zip has no hard links. */
  readonly fileAt: (path: Uint8Array) => Promise<FileEntry>
}

/**
 * Entries as a zip, in pieces, no faster than they are taken: stored, not compressed, with names in UTF-8 (`zipNameOf`), permissions and symbolic links as
 * Unix has them, and zip64 where it is needed. Pipes and devices have no place in a zip and are left out. What the zip's end has of each entry
 * is held until then, with what the library keeps beside it some ten kilobytes: that grows with the number of entries, not with their sizes.
 * @throws what reading the entries throws; the abort's reason
 */
export async function* packZip(
  entries: AsyncIterable<Entry>,
  { signal, fileAt }: PackZipOptions,
): AsyncGenerator<Uint8Array> {
  let control: TransformStreamDefaultController<Uint8Array> | undefined
  const through = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => {
      control = controller
    },
  })
  const writing = writeAll(through.writable, entries, { signal, fileAt }).catch((error: unknown) => {
    // Whoever reads gets it, in the place of the end.
    control?.error(error)
  })
  try {
    for await (const piece of through.readable) yield piece
  } finally {
    await writing
  }
}

async function writeAll(
  sink: WritableStream<Uint8Array>,
  entries: AsyncIterable<Entry>,
  { signal, fileAt }: PackZipOptions,
): Promise<void> {
  const zip = new ZipWriter(sink, { level: 0, useWebWorkers: false, keepOrder: true, signal })
  for await (const entry of entries) {
    signal.throwIfAborted()
    switch (entry.type) {
      case 'file':
        await add(zip, entry, entry.path, signal)
        break
      case 'hardlink':
        await add(zip, await fileAt(entry.linkTo), entry.path, signal)
        break
      case 'directory':
        await zip.add(`${zipNameOf(entry.path)}/`, undefined, { ...attributesOf(entry), directory: true })
        break
      case 'symlink':
        await zip.add(zipNameOf(entry.path), ReadableStream.from([entry.target]), attributesOf(entry))
        break
      case 'fifo':
      case 'character-device':
      case 'block-device':
        break
    }
  }
  await zip.close()
}

async function add(
  zip: ZipWriter<unknown>,
  file: FileEntry,
  path: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const { size } = file
  await zip.add(zipNameOf(path), ReadableStream.from(contentOf(file, signal)), {
    ...attributesOf(file),
    // What a program has written has no size before its end.
    zip64: size === undefined || size >= MAX_ZIP32_BYTES,
  })
}

function attributesOf({ type, mode, mtimeNs }: Packed): { unixMode: number; lastModDate: Date } {
  const time = Number(mtimeNs / 1_000_000n)
  return {
    // Without set-id bits: owners are not in a zip.
    unixMode: TYPES[type] | (type === 'symlink' ? 0o777 : mode & 0o777),
    lastModDate: new Date(Math.min(LATEST, Math.max(EARLIEST, time))),
  }
}

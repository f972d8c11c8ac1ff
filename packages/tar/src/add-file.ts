import { type EntryReader, type FileEntry, SourceError, type SourceProblem } from '@pipe-backup/source'
import { addOutput } from './add-output.ts'
import type { Archive } from './archive.ts'
import type { PackTarOptions } from './pack-tar.ts'

const PIECE_BYTES = 512 * 1024
/** Up to here a file is read whole before its header is written, so that one that changes can be read again. */
const HELD_BYTES = 1024 * 1024
/** A file that changes each time it is read is taken as it is after so many readings. */
const READINGS = 3

interface Opened {
  readonly reader: EntryReader
  /** All its bytes, of a small file that has been read already. */
  readonly held?: Buffer
  /** Of a file that was held: whether it held still. */
  readonly isSteady?: boolean
}

/** Adds a file, or reports why it can't be read. @throws SourceError for one that makes the archive unusable */
export async function addFile(archive: Archive, entry: FileEntry, options: PackTarOptions): Promise<void> {
  for (let reading = 1; ; reading++) {
    const opened = await open(entry, options)
    if (!opened) return
    const { reader, held, isSteady } = opened
    try {
      if (held) {
        if (!isSteady && reading < READINGS) continue
        if (!isSteady) reportChanged(entry, options)
        await archive.add({ ...entry, size: held.length, open: () => entry.open() }, [held])
        return
      }
      // A file of /proc says that it is empty, and is not.
      if (entry.size === undefined || entry.size === 0)
        return await addOutput(archive, entry, reader, options)
      await archive.add({ ...entry, open: () => entry.open() }, pieces(entry, reader, entry.size))
      const hasMore = (await reader.read(Buffer.alloc(1))) !== 0
      if (!(await reader.finish()).steady || hasMore) reportChanged(entry, options)
      return
    } finally {
      await reader.close()
    }
  }
}

/** @returns undefined for a file that is left out, which is reported */
async function open(entry: FileEntry, { onProblem }: PackTarOptions): Promise<Opened | undefined> {
  let reader: EntryReader | undefined
  try {
    reader = await entry.open()
    const { size } = entry
    if (size === undefined || size === 0 || size > HELD_BYTES) return { reader }
    const held = Buffer.allocUnsafe(size)
    let length = 0
    while (length < size) {
      const got = await reader.read(held.subarray(length))
      if (got === 0) break
      length += got
    }
    const hasMore = length === size && (await reader.read(Buffer.alloc(1))) !== 0
    const { steady } = await reader.finish()
    return { reader, held: held.subarray(0, length), isSteady: steady && length === size && !hasMore }
  } catch (error) {
    await reader?.close()
    const problem = problemOf(entry, error)
    if (!onProblem || !problem) throw error
    onProblem(problem)
    return undefined
  }
}

async function* pieces(entry: FileEntry, reader: EntryReader, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, left))
    for (let at = 0; at < piece.length; ) {
      const got = await reader.read(piece.subarray(at))
      if (got === 0)
        throw new SourceError('changed', `${shown(entry)} became shorter while it was read`, {
          path: shown(entry),
          hint: 'Run it again.',
        })
      at += got
    }
    left -= piece.length
    yield piece
  }
}

function reportChanged(entry: FileEntry, { onProblem }: PackTarOptions): void {
  const path = shown(entry)
  const what = 'changed while it was read'
  if (!onProblem) throw new SourceError('changed', `${path} ${what}`, { path, hint: 'Run it again.' })
  onProblem({ code: 'changed', path, message: `${what}; stored as it was read last` })
}

/** One that concerns this entry alone. */
function problemOf(entry: FileEntry, error: unknown): SourceProblem | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined
  const { code } = error
  if (code !== 'vanished' && code !== 'unreadable') return undefined
  const path = shown(entry)
  return {
    code,
    path,
    message: error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message,
  }
}

function shown({ path }: FileEntry): string {
  return Buffer.from(path).toString()
}

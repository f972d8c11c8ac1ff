import assert from 'node:assert/strict'
import type { Entry, EntryReader, FileEntry, Reading } from '../entry.ts'
import type { Source } from '../source.ts'
import { pathKey } from './entry-form.ts'

const PIECE_BYTES = 64 * 1024

export async function entriesOf(source: Source, signal?: AbortSignal): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of walk(source, signal)) entries.push(entry)
  return entries
}

/** What must be the same each time a source is read that stays as it is. */
export async function outlineOf(source: Source, signal?: AbortSignal): Promise<string[]> {
  const entries = await entriesOf(source, signal)
  return entries.map(({ type, path, mode, uid, gid }) => `${type} ${pathKey(path)} ${mode} ${uid}:${gid}`)
}

/** Every file while it is the entry that came last, as an engine reads it. */
export async function eachFile(source: Source, use: (file: FileEntry) => Promise<void>): Promise<void> {
  for await (const entry of walk(source)) if (entry.type === 'file') await use(entry)
}

/** The first file that has bytes, while it is the entry that came last. */
export async function someFile(source: Source, use: (file: FileEntry) => Promise<void>): Promise<void> {
  for await (const entry of walk(source)) {
    if (entry.type !== 'file' || (await readFile(entry)).bytes.length === 0) continue
    await use(entry)
    return
  }
  assert.fail('the source under test has no file with bytes')
}

export interface ReadOptions {
  /** How much is asked for, when so many bytes have been taken. Default 64 KiB each time. */
  readonly room?: ((taken: number) => number) | undefined
  /** What is done to the memory that was lent, once it is copied. */
  readonly afterwards?: ((into: Uint8Array) => void) | undefined
}

export interface WholeFile {
  readonly bytes: Buffer
  readonly end: Reading
  /** Finished and closed. */
  readonly reader: EntryReader
}

export async function readFile(file: FileEntry, options: ReadOptions = {}): Promise<WholeFile> {
  const { room = () => PIECE_BYTES, afterwards } = options
  const pieces: Buffer[] = []
  const reader = await file.open()
  try {
    for (let taken = 0; ; ) {
      const into = new Uint8Array(room(taken))
      const got = await reader.read(into)
      assert.ok(
        Number.isInteger(got) && got >= 0 && got <= into.length,
        `read() of ${into.length} gave ${got}`,
      )
      if (got === 0) break
      pieces.push(Buffer.from(into.subarray(0, got)))
      taken += got
      afterwards?.(into)
    }
    return { bytes: Buffer.concat(pieces), end: await reader.finish(), reader }
  } finally {
    await reader.close()
  }
}

function walk(source: Source, signal?: AbortSignal): AsyncIterable<Entry> {
  // What can't be taken is not this suite's concern: it looks at what is.
  return source.entries({ onProblem: () => undefined, signal })
}

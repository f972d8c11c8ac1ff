import type { Entry, FileEntry } from '@pipe-backup/source'
import type { SnapshotReader } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { CommandError } from '../command-error.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { escapeBytes } from '../terminal/escape-bytes.ts'
import { openReading } from '../vault/open-reading.ts'

const BUFFER_BYTES = 1024 * 1024

/** `cat`: one file's bytes on standard output. @returns the exit code */
export async function cat(
  cli: CliContext,
  spec: string,
  path: string,
  options: { readonly phraseFile?: string | undefined; readonly tag?: readonly string[] | undefined },
): Promise<number> {
  const { output, signal } = cli
  const wanted = toSnapshotPath(path)
  await using opened = await openReading(cli, spec, options.phraseFile, [wanted], options.tag)
  const file = await findFile(opened.reader, wanted)
  await output.stream(contentOf(file, signal), signal)
  return opened.exitCode
}

/** The file at a path. Another name of a file stands for that file. @throws CommandError `not-a-file` */
export async function findFile(reader: SnapshotReader, path: Uint8Array): Promise<FileEntry> {
  const entry = await firstEntry(reader, path)
  const shown = escapeBytes(path)
  switch (entry.type) {
    case 'file':
      return entry
    case 'hardlink':
      return await findFile(reader, entry.linkTo)
    case 'directory':
      throw new CommandError(
        'not-a-file',
        `${shown} is a directory`,
        'List it with "pipe-backup ls", or take it all with "pipe-backup restore".',
      )
    case 'symlink':
      throw new CommandError('not-a-file', `${shown} is a symbolic link to ${escapeBytes(entry.target)}`)
    case 'fifo':
    case 'character-device':
    case 'block-device':
      throw new CommandError('not-a-file', `${shown} is no file but a ${entry.type}`)
  }
}

async function firstEntry(reader: SnapshotReader, path: Uint8Array): Promise<Entry> {
  for await (const entry of reader.entries([path])) {
    if (Buffer.compare(entry.path, path) === 0) return entry
    break
  }
  // A path that selects nothing is refused by the reader; a source's name selects entries, but is none itself.
  throw new CommandError(
    'not-a-file',
    `${escapeBytes(path)} is no file`,
    'List what is there with "pipe-backup ls".',
  )
}

/** A file's bytes, in pieces of 1 MiB at most. */
export async function* contentOf(file: FileEntry, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = await file.open()
  let left = file.size ?? Number.POSITIVE_INFINITY
  try {
    for (;;) {
      signal.throwIfAborted()
      // A new one each time: whoever writes it may not be done with the last. Memory far larger than what is read would be what a download of many small files takes.
      const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(left, BUFFER_BYTES)))
      const length = await reader.read(buffer)
      if (length === 0) break
      left -= length
      yield buffer.subarray(0, length)
    }
    await reader.finish()
  } finally {
    await reader.close()
  }
}

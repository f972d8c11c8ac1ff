import type { EntryReader, FileEntry } from './entry.ts'
import { SourceError } from './problem.ts'

/**
 * Files that fail one by one, as the databases of a server do. What would end the source, `command-failed` or `truncated`, is `unreadable` for
 * its file alone, so that the others are still taken. It stays as it is where there is only one file.
 * @param what - the files' plural, for the message when all have failed
 * @throws SourceError `command-failed` after the last of several files when every one has failed
 */
export async function* failingAlone(files: readonly FileEntry[], what: string): AsyncGenerator<FileEntry> {
  const failures = new Map<FileEntry, unknown>()
  for (const file of files) {
    const watched = async <T>(work: () => T | Promise<T>): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        failures.set(file, error)
        throw files.length === 1 ? error : ofThisFileAlone(error)
      }
    }
    const open = file.open.bind(file)
    yield { ...file, open: async () => watchedReader(await watched(open), watched) }
  }
  const [first] = failures.values()
  if (files.length > 1 && failures.size === files.length)
    throw new SourceError(
      'command-failed',
      `none of the ${files.length} ${what}: ${first instanceof Error ? first.message : String(first)}`,
      { cause: first, hint: first instanceof SourceError ? first.hint : undefined },
    )
}

function watchedReader(
  reader: EntryReader,
  watched: <T>(work: () => T | Promise<T>) => Promise<T>,
): EntryReader {
  return {
    read: (into) => watched(() => reader.read(into)),
    finish: () => watched(() => reader.finish()),
    close: () => reader.close(),
  }
}

function ofThisFileAlone(error: unknown): unknown {
  if (!(error instanceof SourceError)) return error
  const { code, message, path, hint } = error
  if (code !== 'command-failed' && code !== 'truncated') return error
  return new SourceError('unreadable', message, { cause: error, path, hint })
}

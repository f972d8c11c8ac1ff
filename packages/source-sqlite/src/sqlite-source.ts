import { stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import {
  comparePaths,
  type Entry,
  type EntryReader,
  type FileEntry,
  failingAlone,
  type ReadContext,
  type Source,
  SourceError,
} from '@pipe-backup/source'
import { copyDatabase, LOCK_MS } from './copy-database.ts'

export interface SqliteOptions {
  /** Paths of the databases. */
  readonly paths: readonly string[]
  /** How long others may keep one locked before it has failed, in milliseconds. Default 60,000. */
  readonly lockMs?: number | undefined
}

/**
 * SQLite databases, each as it is at the moment when its entry is opened, while others write to it. An entry has the database's own path, without the
 * first slash. Reading one of several fails with SourceError `unreadable`, for it alone; when every one has failed, or the only one, with `command-failed`.
 */
export function sqlite(options: SqliteOptions, context: ReadContext = {}): AsyncIterable<Entry> {
  return { [Symbol.asyncIterator]: () => databases(options, context) }
}

/** `sqlite()` as a named source. */
export function sqliteSource(options: SqliteOptions & { readonly name: string }): Source {
  return { name: options.name, entries: (context) => sqlite(options, context) }
}

async function* databases(
  { paths, lockMs = LOCK_MS }: SqliteOptions,
  { signal }: ReadContext,
): AsyncGenerator<FileEntry> {
  signal?.throwIfAborted()
  const absolute = [...new Set(paths.map((path) => resolve(path)))]
  const files = await Promise.all(absolute.map((path) => toEntry(path, lockMs, signal)))
  files.sort((a, b) => comparePaths(a.path, b.path))
  for await (const file of failingAlone(files, 'databases could be copied')) {
    yield file
    signal?.throwIfAborted()
  }
}

async function toEntry(
  database: string,
  lockMs: number,
  signal: AbortSignal | undefined,
): Promise<FileEntry> {
  const found = await stat(database, { bigint: true }).catch(() => undefined)
  // In WAL mode this is where the last writes are.
  const log = await stat(`${database}-wal`, { bigint: true }).catch(() => undefined)
  const { uid, gid } = userInfo()
  const mtimeNs = [found, log].reduce(
    (latest, one) => (one && one.mtimeNs > latest ? one.mtimeNs : latest),
    0n,
  )
  return {
    type: 'file',
    path: Buffer.from(database.slice(1)),
    mode: Number(found?.mode ?? 0o600n) & 0o7777,
    uid: Number(found?.uid ?? uid),
    gid: Number(found?.gid ?? gid),
    user: '',
    group: '',
    mtimeNs,
    size: undefined,
    open: () => openCopy(database, mtimeNs, lockMs, signal),
  }
}

async function openCopy(
  database: string,
  mtimeNs: bigint,
  lockMs: number,
  signal: AbortSignal | undefined,
): Promise<EntryReader> {
  await checkFile(database)
  const copy = await copyDatabase(database, lockMs, signal)
  let position = 0
  return {
    read: async (into) => {
      signal?.throwIfAborted()
      const { bytesRead } = await copy.read(into, 0, into.length, position)
      position += bytesRead
      return bytesRead
    },
    finish: async () => {
      await copy.close()
      return { steady: true, mtimeNs }
    },
    close: () => copy.close(),
  }
}

/** SQLite's own words for these are few. @throws SourceError `command-failed` */
export async function checkFile(database: string): Promise<void> {
  const found = await stat(database).catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const what = code === 'ENOENT' || code === 'ENOTDIR' ? 'is not there' : `can't be read (${String(code)})`
    throw new SourceError('command-failed', `${database} ${what}`, { cause })
  })
  if (!found.isFile()) throw new SourceError('command-failed', `${database} is no file`)
}

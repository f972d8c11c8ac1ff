import { lstat, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** @see https://www.sqlite.org/fileformat.html#magic_header_string */
const MAGIC = Buffer.from('SQLite format 3\0')
const NAMES = /\.(db|db3|sqlite|sqlite3)$/i
/** Somebody waits: what is further in a large tree is not found. */
const MAX_ENTRIES = 50_000
const MAX_FOUND = 20

/**
 * Finds SQLite databases in files and below directories, by their names and first bytes. Links are not followed, what can't be read is passed over.
 * @param paths - absolute
 * @returns at most 20 paths, of the first 50,000 entries
 */
export async function findSqlite(paths: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const found = new Set<string>()
  const waiting = [...paths]
  let looked = 0
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    signal.throwIfAborted()
    if (found.size === MAX_FOUND) break
    const entry = await lstat(path).catch(() => undefined)
    if (entry?.isFile() && NAMES.test(path) && (await isSqlite(path))) found.add(path)
    if (!entry?.isDirectory()) continue
    try {
      for await (const { name, isDirectory } of entriesOf(path)) {
        if (++looked > MAX_ENTRIES) break
        if (isDirectory || NAMES.test(name)) waiting.push(join(path, name))
      }
    } catch {
      // Not to be read, or gone: the source itself reports that.
    }
  }
  return [...found]
}

async function* entriesOf(path: string): AsyncGenerator<{ name: string; isDirectory: boolean }> {
  for await (const entry of await opendir(path)) yield { name: entry.name, isDirectory: entry.isDirectory() }
}

async function isSqlite(path: string): Promise<boolean> {
  try {
    await using file = await open(path)
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAGIC.length), position: 0 })
    return bytesRead === MAGIC.length && buffer.equals(MAGIC)
  } catch {
    return false
  }
}

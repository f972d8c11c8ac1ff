import { DatabaseSync } from 'node:sqlite'
import type { FileEntry } from '@pipe-backup/source'
import { sqlite } from '../sqlite-source.ts'

export type JournalMode = 'wal' | 'delete' | 'truncate' | 'persist'

/** A database of a hundred accounts with 1000 each, and some megabytes beside them. It stays open: in WAL mode its log is not emptied. */
export function makeBank(path: string, journal: JournalMode, fillers = 2000): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 10_000 })
  database.exec(`PRAGMA journal_mode=${journal}; PRAGMA synchronous=OFF;
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
    CREATE TABLE moves (id INTEGER PRIMARY KEY, amount INTEGER, filler BLOB);
    CREATE INDEX by_amount ON moves (amount);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO accounts SELECT i, 1000 FROM n;
    CREATE TABLE filler (id INTEGER PRIMARY KEY, b BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${fillers}) INSERT INTO filler SELECT i, CAST('secret ' || hex(zeroblob(1500)) AS BLOB) FROM n`)
  return database
}

/** What a query of one number gives. */
export function numberOf(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0])
}

/** Reads the entries to their ends; gives what each held. */
export async function copiesOf(
  paths: readonly string[],
  options: { readonly lockMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Buffer[]> {
  const copies: Buffer[] = []
  for await (const entry of sqlite({ paths, lockMs: options.lockMs }, { signal: options.signal }))
    if (entry.type === 'file') copies.push(await bytesOf(entry))
  return copies
}

export async function bytesOf(entry: FileEntry): Promise<Buffer> {
  const reader = await entry.open()
  try {
    const pieces: Buffer[] = []
    for (;;) {
      const piece = Buffer.alloc(65_536)
      const got = await reader.read(piece)
      if (got === 0) break
      pieces.push(piece.subarray(0, got))
    }
    await reader.finish()
    return Buffer.concat(pieces)
  } finally {
    await reader.close()
  }
}

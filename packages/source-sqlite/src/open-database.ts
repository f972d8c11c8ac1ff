import { DatabaseSync } from 'node:sqlite'

const BUSY = 5
/** Short: between two writes of a program that does nothing else, a database is free for less than this. */
const RETRY_MS = 1

/** A database in a read transaction: what it shows stays as it is, whatever others write meanwhile. */
export interface Snapshot extends Disposable {
  readonly database: DatabaseSync
  readonly bytes: number
}

/**
 * Opens a database for reading, and begins a transaction. The thread waits while another program has it locked.
 * @param pause - waits so long; false to give up
 * @throws what node:sqlite throws: see `errorCodeOf`
 */
export function openSnapshot(path: string, lockMs: number, pause: (ms: number) => boolean): Snapshot {
  const deadline = Date.now() + lockMs
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    database.exec('BEGIN')
    for (;;) {
      try {
        // The lock is taken by the first statement that reads.
        const bytes = numberOf(database, 'page_count') * numberOf(database, 'page_size')
        return { database, bytes, [Symbol.dispose]: () => database.close() }
      } catch (error) {
        if (errorCodeOf(error) !== BUSY || Date.now() >= deadline || !pause(RETRY_MS)) throw error
      }
    }
  } catch (error) {
    database.close()
    throw error
  }
}

function numberOf(database: DatabaseSync, pragma: 'page_count' | 'page_size'): number {
  return Number(database.prepare(`PRAGMA ${pragma}`).get()?.[pragma])
}

/** SQLite's primary result code of what was thrown; `undefined` for what is not SQLite's. @see https://sqlite.org/rescode.html */
export function errorCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined
}

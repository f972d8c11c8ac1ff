import { renameSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { CopyEnd, CopyStart } from './copy-messages.ts'
import { errorCodeOf, openSnapshot } from './open-database.ts'

/** Between them others get the file's cache, and a stop is noticed. */
const PAGES_A_STEP = 1000
const CORRUPT = 11
const NOT_A_DATABASE = 26
const FINDINGS = 100
/** Rows that break a rule of their table: the file is as its program has made it. */
const OF_ROWS = /^(?:NULL|NUMERIC|TEXT|non-\S+) value in |^CHECK constraint failed/

if (!parentPort) throw new Error('the copy worker runs in a worker thread')
const { database, copy, decoy, lockMs, isStopped } = workerData as CopyStart
const stopped = (): boolean => Atomics.load(isStopped, 0) !== 0
const pause = (ms: number): boolean => Atomics.wait(isStopped, 0, 0, ms) === 'timed-out'
parentPort.postMessage((await makeCopy()) satisfies CopyEnd)

async function makeCopy(): Promise<CopyEnd> {
  try {
    // Opened by its name while it has one, and read when it is complete. Exclusive, or it would want the file beside it that WAL mode shares.
    using checked = new DatabaseSync(copy)
    checked.exec('PRAGMA locking_mode=EXCLUSIVE')
    const bytes = await copyPages()
    const damage = findDamage(checked)
    return damage === undefined ? { bytes } : { damage }
  } catch (error) {
    if (stopped()) return { stopped: true }
    const errorCode = errorCodeOf(error)
    if (errorCode === undefined || !(error instanceof Error)) throw error
    return { errorCode, message: error.message }
  }
}

async function copyPages(): Promise<number> {
  // In one transaction: without it, SQLite would begin from the start after each write of another process.
  using source = openSnapshot(database, lockMs, pause)
  const progress = (): void => {
    if (stopped()) throw new Error('stopped')
  }
  let copying: Promise<number> | undefined
  source.database.function('start_copy', () => {
    copying = backup(source.database, copy, { rate: PAGES_A_STEP, progress })
    // The copy is open: it goes on without a name, so that whatever kills this process leaves no plain text behind. SQLite looks at what has the name.
    renameSync(decoy, copy)
    return null
  })
  // Pages are written by another thread, which has to wait for the statement that uses the database: not one is written to a file with a name.
  source.database.prepare('SELECT start_copy()').get()
  await copying
  return source.bytes
}

function findDamage(checked: DatabaseSync): string | undefined {
  try {
    const rows = checked.prepare(`PRAGMA quick_check(${FINDINGS})`).all()
    const findings = rows.map((row) => String(row['quick_check']))
    return findings.find((finding) => finding !== 'ok' && !OF_ROWS.test(finding))
  } catch (error) {
    const code = errorCodeOf(error)
    if (error instanceof Error && (code === CORRUPT || code === NOT_A_DATABASE)) return error.message
    // A collation or function that only its program has: it can't be checked.
    if (code === undefined) throw error
    return undefined
  }
}

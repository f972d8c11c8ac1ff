import { truncateSync } from 'node:fs'
import { access, chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readStateFile } from '@pipe-backup/vault'
import { CommandError } from '../command-error.ts'
import { writeState } from '../state/write-state.ts'

/** SQLITE_BUSY: https://www.sqlite.org/rescode.html#busy */
const BUSY = 5
/** SQLITE_NOTADB */
const NO_DATABASE = 26

export interface RunLockOptions {
  /** What is done under it: each has a lock of its own. Default `run`. */
  readonly name?: string | undefined
  readonly now?: (() => Date) | undefined
}

/**
 * Takes the lock of a state directory, so that one run of a vault goes on at a time on this host.
 *
 * Node has no flock(2). SQLite's exclusive transaction is a lock of the operating system on the file: it is released
 * when the process ends in whatever way, so there is no stale lock to take over and no race in doing so.
 * @see https://www.sqlite.org/lockingv3.html
 * @throws CommandError `locked` when another process holds it; `no-lock` when the file can't be used
 */
export async function takeRunLock(
  stateDirectory: string,
  { name = 'run', now = () => new Date() }: RunLockOptions = {},
): Promise<Disposable> {
  const unusable = (error: unknown): CommandError =>
    new CommandError(
      'no-lock',
      `${file} could not be locked: ${error instanceof Error ? error.message : String(error)}`,
      `Can this user write to ${stateDirectory}, and is there space left?`,
    )
  const file = join(stateDirectory, `${name}.lock`)
  const holderFile = join(stateDirectory, `${name}.json`)
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unusable(error)
  })
  let database: DatabaseSync
  try {
    database = lockOn(file)
  } catch (error) {
    const code = errcodeOf(error)
    if (code === BUSY) {
      throw new CommandError(
        'locked',
        `another ${name} of this vault is going on${await describeHolder(holderFile)}`,
        'Wait for it to end.',
      )
    }
    throw unusable(error)
  }
  await chmod(file, 0o600).catch((error: unknown) => {
    database.close()
    throw unusable(error)
  })
  // For people alone: whether the lock is held is never decided by it, and a full disk is no reason not to back up.
  await writeState(holderFile, { pid: process.pid, since: now().toISOString() }).catch(() => undefined)
  return { [Symbol.dispose]: () => database.close() }
}

/** @throws Error of SQLite */
function lockOn(file: string): DatabaseSync {
  const lock = (): DatabaseSync => {
    const database = new DatabaseSync(file)
    try {
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      return database
    } catch (error) {
      database.close()
      throw error
    }
  }
  try {
    return lock()
  } catch (error) {
    if (errcodeOf(error) !== NO_DATABASE) throw error
    // A lock's file is empty. What a damaged disk has put into it goes; the file stays, and with it the lock of whoever has it.
    truncateSync(file)
    return lock()
  }
}

function errcodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
}

async function describeHolder(file: string): Promise<string> {
  try {
    const holder: unknown = await readStateFile(file)
    if (typeof holder !== 'object' || holder === null || !('pid' in holder) || !('since' in holder)) return ''
    return ` (process ${Number(holder.pid)}, since ${String(holder.since)})`
  } catch {
    // Between taking the lock and saying who has it there is a moment without the file.
    return ''
  }
}

/** Whether another process holds the lock of this name now. Makes nothing. */
export async function isLocked(stateDirectory: string, name: string): Promise<boolean> {
  const file = join(stateDirectory, `${name}.lock`)
  try {
    await access(file)
  } catch {
    return false
  }
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    // Even a reader waits for who holds an exclusive lock.
    database.exec('BEGIN; SELECT count(*) FROM sqlite_schema; ROLLBACK')
    return false
  } catch (error) {
    if (errcodeOf(error) === BUSY) return true
    // Nobody can hold a lock on what is none.
    if (errcodeOf(error) === NO_DATABASE) return false
    throw error
  } finally {
    database.close()
  }
}

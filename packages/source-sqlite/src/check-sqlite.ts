import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { SourceError } from '@pipe-backup/source'
import { errorCodeOf, openSnapshot } from './open-database.ts'
import { toFailure } from './sqlite-failure.ts'
import { checkFile, type SqliteOptions } from './sqlite-source.ts'

/** What a check has found. */
export interface SqliteFindings {
  /** Databases that can be read. */
  readonly databases: readonly string[]
  /** The others, and why not. */
  readonly problems: readonly string[]
  /** Size of the largest, in bytes: so much room a copy takes. */
  readonly largestBytes: number
  /** Where copies are made, and how much room there is. */
  readonly directory: string
  readonly freeBytes: number
}

const LOCK_MS = 1000
const nobody = new Int32Array(new SharedArrayBuffer(4))
const pause = (ms: number): boolean => Atomics.wait(nobody, 0, 0, ms) === 'timed-out'

/** Opens each database, and reads its first page. @throws nothing of theirs: it is in the findings */
export async function checkSqlite({ paths }: Pick<SqliteOptions, 'paths'>): Promise<SqliteFindings> {
  const databases: string[] = []
  const problems: string[] = []
  let largestBytes = 0
  for (const path of new Set(paths.map((one) => resolve(one)))) {
    try {
      await checkFile(path)
      using snapshot = openSnapshot(path, LOCK_MS, pause)
      // Reads all of the schema.
      snapshot.database.prepare('SELECT count(*) FROM sqlite_schema').get()
      largestBytes = Math.max(largestBytes, snapshot.bytes)
      databases.push(path)
    } catch (error) {
      const errorCode = errorCodeOf(error)
      const failure =
        error instanceof Error && errorCode !== undefined
          ? toFailure(path, { errorCode, message: error.message })
          : error
      if (!(failure instanceof SourceError)) throw failure
      problems.push(failure.message)
    }
  }
  const directory = tmpdir()
  const { bavail, bsize } = await statfs(directory)
  return { databases, problems, largestBytes, directory, freeBytes: bavail * bsize }
}

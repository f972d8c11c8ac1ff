import { randomBytes } from 'node:crypto'
import { SourceError } from '@pipe-backup/source'
import { feed, SECRET_FILE } from '@pipe-backup/source-command'
import { fromHex, hexOf, hinted, NOISE, PSQL_OPTIONS, queryRows, serviceVariables } from './client-program.ts'
import { environmentOf, type ServerOptions, serviceFile } from './server-options.ts'
import { surveyServer } from './survey.ts'

/** A server for drills: whatever is on it, only databases that a drill has made are touched. */
export type ScratchServer = ServerOptions

/**
 * Proves a dump by loading it: into a database of a new name, `pipe_backup_drill_…`, which is dropped again.
 * @returns how many tables and views there were then
 * @throws SourceError `command-failed`, with the server's complaint; the abort's reason
 */
export async function loadDump(
  server: ScratchServer,
  dump: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  const { database: home } = await surveyServer(server, [], signal)
  const database = `pipe_backup_drill_${randomBytes(8).toString('hex')}`
  // What the dump is encoded in is converted on the way.
  const create = `CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`
  await queryRows(server, home, create, signal)
  try {
    await runPsql(server, database, dump, signal)
    const count =
      "SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    const [[tables] = []] = await queryRows(server, database, count, signal)
    return Number(tables)
  } finally {
    // Also when the drill was stopped: it is to leave nothing behind.
    await queryRows(server, home, `DROP DATABASE ${database} WITH (FORCE)`)
  }
}

/** The roles of a server. @throws SourceError `command-failed` */
export async function rolesOf(server: ScratchServer, signal?: AbortSignal): Promise<ReadonlySet<string>> {
  const { database } = await surveyServer(server, [], signal)
  const rows = await queryRows(server, database, `SELECT ${hexOf('rolname::text')} FROM pg_roles`, signal)
  return new Set(rows.map(([role = '']) => fromHex(role)))
}

async function runPsql(
  server: ScratchServer,
  database: string,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const secret = server.password === undefined ? undefined : serviceFile(server.password)
  const env = {
    ...environmentOf(server, database),
    ...(secret && serviceVariables(SECRET_FILE)),
  }
  try {
    await feed(['psql', '--no-password', ...PSQL_OPTIONS, '--output=/dev/null', '--file=-'], {
      input,
      secret,
      env,
      ignoreComplaint: NOISE,
      signal,
    })
  } catch (error) {
    if (!(error instanceof SourceError) || !/role "[^]*" does not exist/.test(error.message))
      throw hinted(error)
    throw new SourceError(error.code, error.message, {
      cause: error,
      hint: 'The dump names the roles that own things: load @globals.sql there first, or CREATE ROLE.',
    })
  }
}

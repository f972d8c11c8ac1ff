import { SourceError } from '@pipe-backup/source'
import { fromHex, hexOf, queryRows } from './client-program.ts'
import type { ServerOptions } from './server-options.ts'

/** A database as the server's catalogue has it. */
export interface DatabaseSurvey {
  readonly name: string
  /** UTF8, SQL_ASCII and so on, as `pg_dump --encoding` takes it. */
  readonly encoding: string
  /** Nobody can connect to it, by `ALLOW_CONNECTIONS false`. */
  readonly isClosed: boolean
  readonly isTemplate: boolean
  /** How many subscriptions to other servers it has: only a superuser's dump has them. */
  readonly subscriptions: number
  /** How often ALTER DATABASE or ALTER ROLE IN DATABASE has set something for it. */
  readonly settings: number
}

/** What a server says of itself to a user. */
export interface ServerSurvey {
  readonly user: string
  readonly isSuperuser: boolean
  /** Whether the user may read the hashes of passwords. */
  readonly seesPasswords: boolean
  /** A database that this was asked in. */
  readonly database: string
  readonly databases: ReadonlyMap<string, DatabaseSurvey>
}

const SURVEY = `SELECT 'server', ${hexOf('current_user::text')}, current_setting('is_superuser'), has_table_privilege('pg_catalog.pg_authid', 'SELECT'), 0, 0
  UNION ALL SELECT ${hexOf('d.datname::text')}, pg_encoding_to_char(d.encoding), d.datallowconn::text, d.datistemplate,
    (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = d.oid),
    (SELECT count(*) FROM pg_db_role_setting r WHERE r.setdatabase = d.oid)
  FROM pg_database d`

/**
 * @param names - databases that may be there
 * @throws SourceError `command-failed` when the server is not reached, or does not let the user in
 */
export async function surveyServer(
  server: ServerOptions,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<ServerSurvey> {
  // Each is asked for what all databases know: whichever is there, and lets the user in.
  const candidates = [...new Set(['postgres', ...names, 'template1'])]
  let first: unknown
  for (const database of candidates) {
    try {
      return toSurvey(database, await queryRows(server, database, SURVEY, signal))
    } catch (error) {
      first ??= error
      if (!(error instanceof SourceError) || !isOfDatabase(error.message)) break
    }
  }
  throw first
}

/** Whether another database might do. */
function isOfDatabase(message: string): boolean {
  return /database "[^]*" does not exist|permission denied for database|no pg_hba\.conf entry|not currently accepting connections/.test(
    message,
  )
}

function toSurvey(database: string, rows: readonly string[][]): ServerSurvey {
  const [, user = '', isSuperuser, seesPasswords] = rows.find(([kind]) => kind === 'server') ?? []
  const databases = rows
    .filter(([kind]) => kind !== 'server')
    .map(
      ([name = '', encoding = '', allows, isTemplate, subscriptions, settings]): DatabaseSurvey => ({
        name: fromHex(name),
        encoding,
        isClosed: allows !== 'true',
        isTemplate: isTemplate === 't',
        subscriptions: Number(subscriptions),
        settings: Number(settings),
      }),
    )
  return {
    user: fromHex(user),
    isSuperuser: isSuperuser === 'on',
    seesPasswords: seesPasswords === 't',
    database,
    databases: new Map(databases.map((one) => [one.name, one])),
  }
}

/** Roles that own something in these databases, or may do something there. @throws SourceError `command-failed` */
export async function rolesIn(
  server: ServerOptions,
  { database }: ServerSurvey,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlySet<string>> {
  const rows = await queryRows(
    server,
    database,
    `SELECT DISTINCT ${hexOf('d.datname::text')}, ${hexOf('r.rolname::text')} FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
       JOIN pg_roles r ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid`,
    signal,
  )
  const found = rows.filter(([name = '']) => names.includes(fromHex(name)))
  return new Set(found.map(([, role = '']) => fromHex(role)))
}

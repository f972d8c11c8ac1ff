import { fromHex, queryRows, type ServerOptions, sqlText } from './client-program.ts'
import { Grants } from './grants.ts'

/** What a server says of itself to a user. */
export interface ServerSurvey {
  /** As a GRANT has it: 'backup'@'%'. */
  readonly user: string
  readonly grants: Grants
  readonly isMariadb: boolean
  readonly version: readonly [number, number]
  readonly maxPacketBytes: number
  /** Databases, the server's own too, by name; in the order of the server. */
  readonly databases: ReadonlyMap<string, { readonly charset: string; readonly collation: string }>
}

const SURVEY = [
  "SELECT 'server', VERSION(), HEX(CURRENT_USER()), @@global.max_allowed_packet",
  "SELECT 'database', HEX(schema_name), default_character_set_name, default_collation_name FROM information_schema.schemata",
  'SHOW GRANTS',
].join('; ')

/** @throws SourceError `command-failed` when the server is not reached, or does not let the user in */
export async function surveyServer(server: ServerOptions, signal?: AbortSignal): Promise<ServerSurvey> {
  const rows = await queryRows(server, SURVEY, signal)
  const [, said = '', account = '', packet = ''] = rows.find(([kind]) => kind === 'server') ?? []
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(said) ?? []
  const version = [Number(major ?? 0), Number(minor ?? 0)] as const
  const isMariadb = /mariadb/i.test(said)
  const databases = rows
    .filter(([kind]) => kind === 'database')
    .map(([, name = '', charset = '', collation = '']) => [fromHex(name), { charset, collation }] as const)
  const lines = rows.map((row) => row.join('\t')).filter((row) => /^(?:GRANT|REVOKE) /.test(row))
  return {
    user: accountName(fromHex(account)),
    grants: new Grants(lines, { isMariadb, version }),
    isMariadb,
    version,
    maxPacketBytes: Number(packet),
    databases: new Map(databases),
  }
}

/** What there is in a database that a dump may leave out. */
export interface DatabaseSurvey {
  /** Procedures and functions whose bodies the user may not see. */
  readonly hiddenRoutines: readonly string[]
  /** Tables with system versioning. */
  readonly versioned: readonly string[]
  /** Those of them whose versions are of transactions, not of times: their history can't be dumped. */
  readonly versionedByTransaction: readonly string[]
}

/** @throws SourceError `command-failed` */
export async function surveyDatabase(
  server: ServerOptions,
  database: string,
  signal?: AbortSignal,
): Promise<DatabaseSurvey> {
  const name = sqlText(database)
  const rows = await queryRows(
    server,
    `SELECT 'hidden', HEX(routine_name) FROM information_schema.routines WHERE routine_schema = ${name} AND routine_definition IS NULL;
     SELECT 'versioned', HEX(table_name) FROM information_schema.tables WHERE table_schema = ${name} AND table_type = 'SYSTEM VERSIONED'`,
    signal,
  )
  const of = (kind: string): string[] =>
    rows.filter((row) => row[0] === kind).map(([, found = '']) => fromHex(found))
  const versioned = of('versioned')
  // It opens every table, which takes its time: only where there is something to find.
  const byTransaction =
    versioned.length === 0
      ? []
      : await queryRows(
          server,
          `SELECT HEX(table_name) FROM information_schema.columns WHERE table_schema = ${name} AND generation_expression = 'ROW START' AND data_type = 'bigint'`,
          signal,
        )
  return {
    hiddenRoutines: of('hidden'),
    versioned,
    versionedByTransaction: byTransaction.map(([found = '']) => fromHex(found)),
  }
}

/** user@host as a statement has it. */
export function accountName(account: string): string {
  const at = account.lastIndexOf('@')
  const quoted = (part: string): string => `'${part.replaceAll("'", "''")}'`
  return `${quoted(account.slice(0, at))}@${quoted(account.slice(at + 1))}`
}

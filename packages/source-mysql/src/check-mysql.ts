import { readToEnd, SourceError, type SourceProblem } from '@pipe-backup/source'
import { fromHex, queryRows, sqlText } from './client-program.ts'
import { chooseDatabases, dumps, type Hidden, hiddenIn, type MysqlOptions } from './mysql-source.ts'
import { accountName, type ServerSurvey, surveyServer } from './survey.ts'

/** What a check has found. */
export interface MysqlFindings {
  /** Databases that can be dumped. */
  readonly databases: readonly string[]
  /** Those that can't, and what else of them would not be in a dump. */
  readonly problems: readonly string[]
  /** What the user may not see. */
  readonly hidden: readonly Hidden[]
  /** What looks like a database to the server and is none. */
  readonly leftOut: readonly string[]
  /** Tables with rows that a server with this one's settings would not load again. */
  readonly largeRows: readonly string[]
  /** Whose views, triggers, routines and events there are: the dump can be loaded by who may make things in their names. */
  readonly definers: readonly string[]
}

const GIB = 1024 ** 3
/** To look at the length of a blob is to read it. */
const LOOK_SECONDS = 10

/**
 * Tries what a dump needs: the programs, the login, each database with all that is in it, but no rows.
 * @throws SourceError as a dump would, when nothing can be dumped
 */
export async function checkMysql(options: MysqlOptions, signal?: AbortSignal): Promise<MysqlFindings> {
  const server = await surveyServer(options, signal)
  const { names, leftOut } = chooseDatabases(options, server)
  const hidden = hiddenIn(options, names, server)
  const databases: string[] = []
  const problems: string[] = []
  const onProblem = ({ code, path, message }: SourceProblem): void => {
    // What is left out on purpose, and what the user may not see, is in the findings by itself.
    if (code !== 'skipped' && path !== '') problems.push(`${path}: ${message}`)
  }
  // Every table is selected from, and gives nothing.
  const entries = dumps(options, { onProblem, signal }, ['--where=0'])
  for await (const entry of entries) {
    const path = Buffer.from(entry.path).toString()
    try {
      await readToEnd(entry)
      databases.push(path.replace(/\.sql$/, ''))
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'unreadable') throw error
      const { message, hint } = error
      problems.push(hint === undefined ? `${path}: ${message}` : `${path}: ${message}. ${hint}`)
    }
  }
  const largeRows: string[] = []
  const definers = new Set<string>()
  for (const name of names.filter((one) => databases.includes(one))) {
    if (server.maxPacketBytes < GIB) largeRows.push(...(await findLargeRows(options, name, server, signal)))
    for (const definer of await findDefiners(options, name, signal)) definers.add(definer)
  }
  return { databases, problems, hidden, leftOut, largeRows, definers: [...definers] }
}

/** Tables with a row whose blobs, two digits a byte, are longer than a statement may be. */
async function findLargeRows(
  options: MysqlOptions,
  database: string,
  { isMariadb, maxPacketBytes }: ServerSurvey,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const columns = await queryRows(
    options,
    `SELECT HEX(c.table_name), HEX(c.column_name) FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = ${sqlText(database)} AND t.table_schema = ${sqlText(database)} AND t.table_type <> 'VIEW' AND c.data_type IN ('longblob', 'mediumblob')`,
    signal,
  )
  const found: string[] = []
  const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``
  for (const [table = '', rows] of Map.groupBy(columns, ([name]) => name)) {
    const bytes = rows
      .map(([, column = '']) => `2 * IFNULL(LENGTH(${quoted(fromHex(column))}), 0)`)
      .join(' + ')
    const select = (hint: string): string =>
      `SELECT ${hint} IFNULL(MAX(${bytes}), 0) FROM ${quoted(database)}.${quoted(fromHex(table))}`
    const sql = isMariadb
      ? `SET STATEMENT max_statement_time=${LOOK_SECONDS} FOR ${select('')}`
      : select(`/*+ MAX_EXECUTION_TIME(${LOOK_SECONDS * 1000}) */`)
    const name = `${database}.${fromHex(table)}`
    try {
      const [[longest = '0'] = []] = await queryRows(options, sql, signal)
      if (Number(longest) >= maxPacketBytes)
        found.push(
          `a row of ${name} takes ${inMegabytes(Number(longest))} in the dump, and max_allowed_packet is ${inMegabytes(maxPacketBytes)}`,
        )
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof SourceError)) throw error
      found.push(
        `the blobs of ${name} could not be looked at in ${LOOK_SECONDS} s, and max_allowed_packet is ${inMegabytes(maxPacketBytes)}`,
      )
    }
  }
  return found
}

async function findDefiners(
  options: MysqlOptions,
  database: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const name = sqlText(database)
  const rows = await queryRows(
    options,
    [
      ['views', 'table_schema'],
      ['triggers', 'trigger_schema'],
      ['routines', 'routine_schema'],
      ['events', 'event_schema'],
    ]
      .map(
        ([table, column]) => `SELECT HEX(definer) FROM information_schema.${table} WHERE ${column} = ${name}`,
      )
      .join(' UNION '),
    signal,
  )
  return rows.map(([definer = '']) => accountName(fromHex(definer)))
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`
}

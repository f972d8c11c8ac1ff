import {
  comparePaths,
  type Entry,
  type EntryReader,
  type FileEntry,
  failingAlone,
  type ReadContext,
  type Source,
  SourceError,
  type SourceProblem,
} from '@pipe-backup/source'
import { command } from '@pipe-backup/source-command'
import { type ClientProgram, clientCommand, findProgram, type ServerOptions } from './client-program.ts'
import { canDumpHistory, dumpOptions } from './dump-options.ts'
import { DumpReader } from './dump-reader.ts'
import { DumpRewriter } from './dump-rewriter.ts'
import { type ServerSurvey, surveyDatabase, surveyServer } from './survey.ts'
import { checkUserOptions } from './user-options.ts'

export interface MysqlOptions extends ServerOptions {
  /** Which databases; `all` is all but the server's own. */
  readonly databases: readonly string[] | 'all'
}

const OWN_DATABASES: ReadonlySet<string> = new Set([
  'information_schema',
  'performance_schema',
  'sys',
  'mysql',
])
/** A directory that is no database, such as `lost+found`; or a database of MySQL 5.0 that was never converted. */
const NO_DATABASE = /^#mysql50#/
const TRAILER = /-- Dump completed\s*$/

/**
 * MySQL or MariaDB databases, one entry `NAME.sql` each, dumped by mariadb-dump or mysqldump, whichever is there.
 * Reading an entry of several fails with SourceError `unreadable`, for it alone; when every one has failed, or the only one, with `command-failed`, or
 * `truncated` for a program that ended well without its last line. What the user may not see is a problem of its own.
 */
export function mysql(options: MysqlOptions, context: ReadContext = {}): AsyncIterable<Entry> {
  return { [Symbol.asyncIterator]: () => dumps(options, context) }
}

/** `mysql()` as a named source. */
export function mysqlSource(options: MysqlOptions & { readonly name: string }): Source {
  return { name: options.name, entries: (context) => mysql(options, context) }
}

/** @param more - other options for the dump program */
export async function* dumps(
  options: MysqlOptions,
  context: ReadContext,
  more: readonly string[] = [],
): AsyncGenerator<FileEntry> {
  const program = await findProgram(['mariadb-dump', 'mysqldump'])
  if (options.password === undefined) await checkUserOptions(program, context.signal)
  const server = await surveyServer(options, context.signal)
  const report = (problem: SourceProblem): void => {
    if (!context.onProblem) throw new SourceError(problem.code, problem.message, { path: problem.path })
    context.onProblem(problem)
  }
  const { names, leftOut } = chooseDatabases(options, server)
  for (const name of leftOut) report({ code: 'skipped', path: fileName(name), message: 'it is no database' })
  for (const { message, grants } of hiddenIn(options, names, server))
    report({ code: 'unreadable', path: '', message: `${message} (${grants.join('; ')})` })
  const paths = names.map((name) => ({ name, path: fileName(name) }))
  paths.sort((a, b) => comparePaths(Buffer.from(a.path), Buffer.from(b.path)))
  const files: FileEntry[] = []
  for (const { name, path } of paths) {
    const dump = { name, path, program, server, options, report, more, signal: context.signal }
    for await (const entry of command([program.name], { path, signal: context.signal })) {
      if (entry.type === 'file') files.push({ ...entry, open: () => openDump(dump) })
    }
  }
  for await (const file of failingAlone(files, 'databases could be dumped')) {
    yield file
    context.signal?.throwIfAborted()
  }
}

/** @returns which databases are to be dumped, and what looks like one and is not */
export function chooseDatabases(
  { databases }: MysqlOptions,
  server: ServerSurvey,
): { readonly names: readonly string[]; readonly leftOut: readonly string[] } {
  if (databases !== 'all') return { names: [...new Set(databases)], leftOut: [] }
  const names = [...server.databases.keys()].filter((name) => !OWN_DATABASES.has(name))
  return {
    names: names.filter((name) => !NO_DATABASE.test(name)),
    leftOut: names.filter((name) => NO_DATABASE.test(name)),
  }
}

/** What the user of a database may not see, and so is not in its dump. */
export interface Hidden {
  readonly message: string
  /** Statements that make it seen. */
  readonly grants: readonly string[]
}

/**
 * Databases that lack the same are named together. To a user without a privilege on it, a database is not there: of `all`, nobody
 * can know then whether it is all.
 * @see https://mariadb.com/kb/en/show-databases/ https://dev.mysql.com/doc/refman/8.4/en/show-databases.html
 */
export function hiddenIn(
  { databases }: MysqlOptions,
  names: readonly string[],
  { grants, user }: ServerSurvey,
): Hidden[] {
  const seesAll = databases !== 'all' || grants.has('SHOW DATABASES', '*') || grants.has('SELECT', '*')
  const others = `${user} may not see databases that it has no privilege on: if there are any, they are left out`
  const lacks = names.flatMap((name) => {
    const lack = grants.lackOf(name)
    return lack ? [{ name, lack }] : []
  })
  const hidden = [...Map.groupBy(lacks, ({ lack }) => lack.what.join(', '))].map(([what, group]) => ({
    message: `${user} may not see all ${what} of ${group.map(({ name }) => name).join(', ')}: they are left out`,
    grants: [...new Set(group.flatMap(({ lack }) => lack.grants(user)))],
  }))
  if (seesAll) return hidden
  return [{ message: others, grants: [`GRANT SHOW DATABASES ON *.* TO ${user}`] }, ...hidden]
}

interface Dump {
  readonly name: string
  readonly path: string
  readonly program: ClientProgram
  readonly server: ServerSurvey
  readonly options: MysqlOptions
  readonly report: (problem: SourceProblem) => void
  readonly more: readonly string[]
  readonly signal: AbortSignal | undefined
}

async function openDump(dump: Dump): Promise<EntryReader> {
  const { name, path, program, server, options, report, more, signal } = dump
  const found = await surveyDatabase(options, name, signal)
  const lost = canDumpHistory(program, server) ? found.versionedByTransaction : found.versioned
  if (lost.length > 0) {
    const message = `the history of ${found.versioned.join(', ')} is not in it: ${
      found.versionedByTransaction.length > 0
        ? `${found.versionedByTransaction.join(', ')} has versions by transaction, which no dump can hold`
        : 'that needs a server and a mariadb-dump from MariaDB 10.11 on'
    }`
    report({ code: 'unreadable', path, message })
  }
  if (found.hiddenRoutines.length > 0)
    report({
      code: 'unreadable',
      path,
      message: `left out, as ${server.user} may not see what is in them: ${found.hiddenRoutines.join(', ')}`,
    })
  const choices = dumpOptions(program, {
    history: found.versioned.length > 0 && lost.length === 0,
    // The program would fail at the first that it can't show.
    routines: found.hiddenRoutines.length === 0,
    events: server.grants.has('EVENT', name),
  })
  const run = clientCommand(program, options, [...choices, ...more, '--', name])
  const shownAs = `${program.name} of database ${name}`
  const checkTail = (tail: Uint8Array): void => {
    if (TRAILER.test(Buffer.from(tail).toString('latin1'))) return
    throw new SourceError(
      'truncated',
      `the dump of database ${name} lacks its last line, "-- Dump completed"`,
      { path, hint: 'The server may have gone away in the middle.' },
    )
  }
  for await (const entry of command(run.argv, {
    path,
    ...run.options,
    shownAs,
    checkTail,
    signal,
  })) {
    if (entry.type === 'file')
      return new DumpReader(await entry.open(), new DumpRewriter(name, headOf(name, server)), (error) =>
        withGrants(error, name, server),
      )
  }
  throw new TypeError('a command gives one file')
}

/** What a server says that denies a user a database, a table, a column or a routine: the number is the same in every language. */
const DENIED = /\b(?:1044|1142|1143|1370)\b/

/** The same error, with the statements that give the user what the dump needs, where that is what it lacks. */
function withGrants(error: unknown, name: string, { grants, user }: ServerSurvey): unknown {
  if (!(error instanceof SourceError) || error.code !== 'command-failed' || !DENIED.test(error.message))
    return error
  const lack = grants.lackOf(name)
  if (lack === undefined) return error
  const hint = `Run on the server, as a user who may: ${lack.grants(user).join('; ')};`
  return new SourceError(error.code, error.message, { path: error.path, hint, cause: error })
}

/** What gives the database that the dump is loaded into the character set of the one that it is of: new tables, and bodies of routines, go by it. */
function headOf(name: string, { databases }: ServerSurvey): Uint8Array {
  const found = databases.get(name)
  if (!found || !/^\w+$/.test(found.charset) || !/^\w+$/.test(found.collation)) return new Uint8Array()
  return Buffer.from(`ALTER DATABASE CHARACTER SET ${found.charset} COLLATE ${found.collation};\n`)
}

/** A database's file: the few bytes that a path can't have are written as MySQL itself writes them. */
function fileName(database: string): string {
  const name = database.replaceAll(
    /[/\0]/g,
    (character) => `@${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${name}.sql`
}

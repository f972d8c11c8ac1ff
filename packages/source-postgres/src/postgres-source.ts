import { randomBytes } from 'node:crypto'
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
import { command, outputOf } from '@pipe-backup/source-command'
import { clientCommand, hinted } from './client-program.ts'
import type { ServerOptions } from './server-options.ts'
import { type DatabaseSurvey, type ServerSurvey, surveyServer } from './survey.ts'

export interface PostgresOptions extends ServerOptions {
  /** Which databases; `all` is all but templates, and those that nobody can connect to. */
  readonly databases: readonly string[] | 'all'
  /** Whether roles and tablespaces are dumped too, to `@globals.sql`. Default: with `all`. */
  readonly globals?: boolean | undefined
}

/** A database's own file has another name: `@` is escaped there. */
export const GLOBALS_PATH = '@globals.sql'
/** pg_dump's last line, and pg_dumpall's; behind it may be the end of what `\restrict` has begun. */
const TRAILER = /\n-- PostgreSQL database (?:cluster )?dump complete\n--\s*(?:\\unrestrict \w+\s*)?$/

/**
 * PostgreSQL databases, one entry `NAME.sql` each, dumped by pg_dump; roles and tablespaces in `@globals.sql`, by pg_dumpall.
 * Reading an entry of several fails with SourceError `unreadable`, for it alone; when every one has failed, or the only one, with `command-failed`, or
 * `truncated` for a program that ended well without its last line. What the user may not see is a problem of its own.
 */
export function postgres(options: PostgresOptions, context: ReadContext = {}): AsyncIterable<Entry> {
  const key = restrictKey()
  return { [Symbol.asyncIterator]: () => dumps(options, context, key) }
}

/** `postgres()` as a named source. */
export function postgresSource(options: PostgresOptions & { readonly name: string }): Source {
  const key = restrictKey()
  return { name: options.name, entries: (context = {}) => dumps(options, context, key) }
}

/**
 * What keeps psql from running commands that a malicious server has hidden in a dump: it must not know the key, so that each run has another one.
 * @see https://www.postgresql.org/support/security/CVE-2025-8714/
 */
function restrictKey(): string {
  return randomBytes(24).toString('hex')
}

/** @param more - other options for pg_dump */
export async function* dumps(
  options: PostgresOptions,
  { onProblem, signal }: ReadContext,
  key: string = restrictKey(),
  more: readonly string[] = [],
): AsyncGenerator<FileEntry> {
  const server = await surveyServer(options, options.databases === 'all' ? [] : options.databases, signal)
  const report = (problem: SourceProblem): void => {
    if (!onProblem) throw new SourceError(problem.code, problem.message, { path: problem.path })
    onProblem(problem)
  }
  const { names, closed } = chooseDatabases(options, server)
  for (const name of closed)
    report({ code: 'skipped', path: fileName(name), message: 'it takes no connections' })
  const keyOption = await restrictOption(key, signal)
  const runs = names.map((name): DumpRun => {
    const database = server.databases.get(name)
    return {
      path: fileName(name),
      shownAs: `pg_dump of database ${name}`,
      program: 'pg_dump',
      database: name,
      args: [...dumpOptions(database), ...keyOption, ...more],
      hidden: hiddenIn(name, server),
    }
  })
  if (options.globals ?? options.databases === 'all')
    runs.push({
      path: GLOBALS_PATH,
      shownAs: 'pg_dumpall of roles and tablespaces',
      program: 'pg_dumpall',
      database: server.database,
      args: [...globalsOptions(server), ...keyOption],
      hidden: undefined,
    })
  runs.sort((a, b) => comparePaths(Buffer.from(a.path), Buffer.from(b.path)))
  const files: FileEntry[] = []
  for (const run of runs) {
    for await (const entry of command([run.program], { path: run.path, signal })) {
      if (entry.type === 'file')
        files.push({
          ...entry,
          open: () => {
            if (run.hidden !== undefined) report({ code: 'unreadable', path: run.path, message: run.hidden })
            return openDump(run, options, signal)
          },
        })
    }
  }
  for await (const file of failingAlone(files, 'dumps could be made')) {
    yield file
    signal?.throwIfAborted()
  }
}

/** @returns which databases are to be dumped, and which can't be, as nobody can connect to them */
export function chooseDatabases(
  { databases }: PostgresOptions,
  server: ServerSurvey,
): { readonly names: readonly string[]; readonly closed: readonly string[] } {
  if (databases !== 'all') return { names: [...new Set(databases)], closed: [] }
  const all = [...server.databases.values()].filter(({ isTemplate }) => !isTemplate)
  const namesOf = (chosen: readonly DatabaseSurvey[]): string[] => chosen.map(({ name }) => name)
  return {
    names: namesOf(all.filter(({ isClosed }) => !isClosed)),
    closed: namesOf(all.filter(({ isClosed }) => isClosed)),
  }
}

/** What is not in the dump of a database, as the user may not see it. */
export function hiddenIn(name: string, { databases, isSuperuser, user }: ServerSurvey): string | undefined {
  const subscriptions = databases.get(name)?.subscriptions ?? 0
  if (isSuperuser || subscriptions === 0) return undefined
  return `its subscriptions are left out: ${user} may not see them, a superuser may`
}

interface DumpRun {
  readonly path: string
  readonly shownAs: string
  readonly program: string
  readonly database: string
  readonly args: readonly string[]
  readonly hidden: string | undefined
}

/**
 * SQL, as compressed formats would differ from run to run in every byte, and can't be deduplicated. Without CREATE DATABASE, so that the dump can be
 * loaded into another one. In the database's own encoding, whatever the user's: a conversion might fail.
 */
function dumpOptions(database: DatabaseSurvey | undefined): string[] {
  return ['--format=plain', ...(database ? [`--encoding=${database.encoding}`] : [])]
}

function globalsOptions({ database, seesPasswords }: ServerSurvey): string[] {
  return [
    '--globals-only',
    `--database=dbname=${conninfoValue(database)}`,
    ...(seesPasswords ? [] : ['--no-role-passwords']),
  ]
}

function conninfoValue(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`
}

/** Releases before August 2025 know no `\restrict`. */
async function restrictOption(key: string, signal: AbortSignal | undefined): Promise<string[]> {
  try {
    const help = await outputOf(['pg_dump', '--help'], { env: { LC_ALL: 'C' }, signal })
    return help.includes('--restrict-key') ? [`--restrict-key=${key}`] : []
  } catch (error) {
    throw hinted(error)
  }
}

async function openDump(
  { path, shownAs, program, database, args }: DumpRun,
  server: ServerOptions,
  signal: AbortSignal | undefined,
): Promise<EntryReader> {
  const run = clientCommand(program, server, database, args)
  const checkTail = (tail: Uint8Array): void => {
    if (TRAILER.test(Buffer.from(tail).toString('latin1'))) return
    throw new SourceError('truncated', `${shownAs} lacks its last line, "dump complete"`, {
      path,
      hint: 'The server may have gone away in the middle.',
    })
  }
  for await (const entry of command(run.argv, { path, ...run.options, shownAs, checkTail, signal })) {
    if (entry.type !== 'file') continue
    const reader = await entry.open()
    return {
      read: (into) => reader.read(into),
      finish: async () => {
        try {
          return await reader.finish()
        } catch (error) {
          throw hinted(error)
        }
      },
      close: () => reader.close(),
    }
  }
  throw new TypeError('a command gives one file')
}

/** A database's file: the byte that a path can't have is escaped as MySQL escapes it, and the escape itself. */
function fileName(database: string): string {
  const name = database.replaceAll(
    /[/@]/g,
    (character) => `@${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${name}.sql`
}

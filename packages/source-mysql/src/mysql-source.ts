import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { comparePaths, type Entry, type ReadContext, type Source, SourceError } from '@pipe-backup/source'
import { command, outputOf } from '@pipe-backup/source-command'
import { optionFile } from './option-file.ts'

export interface MysqlOptions {
  /** Which databases; `all` is all but the server's own. */
  readonly databases: readonly string[] | 'all'
  readonly user?: string
  /** Reaches the programs on a pipe: not by argument, environment or disk. Without it they look into the user's own option files. */
  readonly password?: string
  /** Path of the server's socket. */
  readonly socket?: string
  /** Default: this machine, by its socket. */
  readonly host?: string
  readonly port?: number
}

/**
 * One consistent snapshot of each database. No dates, so that an unchanged database gives the same bytes; no CREATE DATABASE or USE, so that
 * the dump can be loaded into another one. Rows come in the order of InnoDB's primary keys as it is: to sort would cost a large table dear.
 */
const DUMP_OPTIONS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--triggers',
  '--events',
  '--hex-blob',
  '--skip-dump-date',
  '--tz-utc',
  '--no-tablespaces',
  '--default-character-set=utf8mb4',
  '--max-allowed-packet=1G',
  // MySQL's own program wants these, MariaDB's does not know them: `loose` makes them no error.
  '--loose-column-statistics=0',
  '--loose-set-gtid-purged=OFF',
] as const

const OWN_DATABASES: ReadonlySet<string> = new Set([
  'information_schema',
  'performance_schema',
  'sys',
  'mysql',
])
const TRAILER = /-- Dump completed\s*$/

/**
 * MySQL or MariaDB databases, one entry `NAME.sql` each, dumped by mariadb-dump or mysqldump, whichever is there.
 * Reading an entry fails with SourceError `command-failed` when the program fails, and `truncated` when it ends well without its last line.
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
): AsyncGenerator<Entry> {
  const program = await findProgram(['mariadb-dump', 'mysqldump'])
  const names = options.databases === 'all' ? await listDatabases(options, context) : [...options.databases]
  const paths = names.map((name) => ({ name, path: `${fileName(name)}.sql` }))
  paths.sort((a, b) => comparePaths(Buffer.from(a.path), Buffer.from(b.path)))
  for (const { name, path } of paths) {
    const run = clientCommand(program, options, [...DUMP_OPTIONS, ...more, '--', name])
    yield* command(run.argv, {
      path,
      ...run.options,
      shownAs: `${program} of database ${name}`,
      checkTail: (tail) => {
        if (TRAILER.test(Buffer.from(tail).toString('latin1'))) return
        throw new SourceError(
          'truncated',
          `the dump of database ${name} lacks its last line, "-- Dump completed"`,
          {
            path,
            hint: 'The server may have gone away in the middle.',
          },
        )
      },
      ...(context.signal && { signal: context.signal }),
    })
  }
}

/** A database's name as a file's: the few bytes that a path can't have are written as MySQL itself writes them. */
function fileName(database: string): string {
  return database.replaceAll(
    /[/\0]/g,
    (character) => `@${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

async function listDatabases(options: MysqlOptions, context: ReadContext): Promise<string[]> {
  const rows = await queryRows(options, 'SHOW DATABASES', context.signal)
  return rows.filter((name) => !OWN_DATABASES.has(name))
}

/** The lines that a query gives, columns parted by tabs. @throws SourceError `command-failed` */
export async function queryRows(
  options: Omit<MysqlOptions, 'databases'>,
  sql: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const client = await findProgram(['mariadb', 'mysql'])
  const run = clientCommand(client, options, [
    '--batch',
    '--skip-column-names',
    '--raw',
    '--default-character-set=utf8mb4',
    `--execute=${sql}`,
  ])
  const output = await outputOf(run.argv, { ...run.options, shownAs: client, ...(signal && { signal }) })
  return output
    .toString()
    .split('\n')
    .filter((line) => line !== '')
}

/**
 * How to run a client program. The option file comes on standard input: the programs open it by name, which works for a pipe but not
 * for the socket that Node gives a child, hence the shell and `cat` between. With it no other option file is read: a `~/.my.cnf` would win over it.
 */
function clientCommand(
  program: string,
  options: Omit<MysqlOptions, 'databases'>,
  args: readonly string[],
): { argv: string[]; options: { readonly input?: Uint8Array } } {
  const { user, password } = options
  const where = serverArgs(options)
  if (password === undefined)
    return {
      argv: [program, ...where, ...(user === undefined ? [] : [`--user=${user}`]), ...args],
      options: {},
    }
  return {
    argv: ['sh', '-c', 'cat | exec "$0" "$@"', program, '--defaults-file=/dev/stdin', ...where, ...args],
    options: { input: optionFile({ password, ...(user !== undefined && { user }) }) },
  }
}

/** How a client program reaches the server. */
export function serverArgs({ socket, host, port }: Omit<MysqlOptions, 'databases'>): string[] {
  return [
    ...(socket === undefined ? [] : [`--socket=${socket}`]),
    ...(host === undefined ? [] : [`--host=${host}`]),
    ...(port === undefined ? [] : [`--port=${port}`]),
    // `localhost` would mean the socket, whatever the port.
    ...(host === undefined ? [] : ['--protocol=TCP']),
  ]
}

/** @throws SourceError `command-failed` when none is on the PATH */
export async function findProgram(names: readonly string[]): Promise<string> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  for (const name of names) {
    for (const directory of directories) {
      const found = await access(join(directory, name), constants.X_OK).then(
        () => true,
        () => false,
      )
      if (found) return name
    }
  }
  throw new SourceError('command-failed', `neither ${names.join(' nor ')} is on the PATH`, {
    hint: 'Install the client programs of MariaDB or MySQL.',
  })
}

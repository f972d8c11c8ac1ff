import { SourceError } from '@pipe-backup/source'
import { outputOf } from '@pipe-backup/source-command'
import {
  type Environment,
  environmentOf,
  SERVICE,
  type ServerOptions,
  serviceFile,
} from './server-options.ts'

/** A program of PostgreSQL's, ready to be run. */
export interface ClientCommand {
  readonly argv: readonly string[]
  readonly options: {
    readonly env: Environment
    readonly input?: Uint8Array | undefined
    readonly ignoreComplaint: RegExp
  }
}

/** What the programs say beside the cause of a failure. It would push the cause out of the few lines that are shown. */
export const NOISE: RegExp = /\b(?:warning|WARNING|NOTICE):/

/**
 * How to run a client program. The password comes on standard input, as a file that the program opens by name: that works for a pipe, but not
 * for the socket that Node gives a child, hence the shell and `cat` between.
 * @param database - the one to connect to, whatever its name
 */
export function clientCommand(
  program: string,
  server: ServerOptions,
  database: string,
  args: readonly string[],
): ClientCommand {
  const env = environmentOf(server, database)
  const argv = [program, '--no-password', ...args]
  if (server.password === undefined) return { argv, options: { env, ignoreComplaint: NOISE } }
  return {
    argv: ['sh', '-c', 'cat | exec "$0" "$@"', ...argv],
    options: {
      env: { ...env, ...serviceVariables('/dev/stdin') },
      input: serviceFile(server.password),
      ignoreComplaint: NOISE,
    },
  }
}

/** @param file - where the program finds the service file */
export function serviceVariables(file: string): Environment {
  return { PGSERVICEFILE: file, PGSERVICE: SERVICE }
}

export const PSQL_OPTIONS = [
  '--no-psqlrc',
  '--quiet',
  '--tuples-only',
  '--no-align',
  '--field-separator=\t',
  '--set=ON_ERROR_STOP=1',
  // One line, without the statement.
  '--set=VERBOSITY=terse',
] as const

/** The rows that a statement gives, their columns parted by tabs as they are: ask for `hexOf` of what may hold a tab. @throws SourceError `command-failed` */
export async function queryRows(
  server: ServerOptions,
  database: string,
  sql: string,
  signal?: AbortSignal,
): Promise<string[][]> {
  const run = clientCommand('psql', server, database, [...PSQL_OPTIONS, `--command=${sql}`])
  const output = await withHint(outputOf(run.argv, { ...run.options, shownAs: 'psql', signal }))
  return output
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** An expression for text that may hold anything; `fromHex` gives it back. */
export function hexOf(expression: string): string {
  return `encode(convert_to(${expression}, 'UTF8'), 'hex')`
}

export function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString()
}

/** What to do about failures that many meet first. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/ENOENT|: not found/, 'Install the client programs of PostgreSQL: pg_dump, pg_dumpall, psql.'],
  [/server version mismatch/, "Install the client programs of the server's version, or of a later one."],
  [
    /Peer authentication failed/,
    'By its socket the server takes only the system user of that name: give `host: localhost` and a password, or map the user in pg_ident.conf.',
  ],
  [/no password supplied/, 'Give a `password`.'],
  [/permission denied/, 'GRANT pg_read_all_data TO the user (PostgreSQL 14 or newer).'],
  [/row-level security/, 'ALTER ROLE the user BYPASSRLS: no part of a table is to be left out.'],
]

/** A failure of a program, with what to do about it where that is known. */
export function hinted(error: unknown): unknown {
  if (!(error instanceof SourceError) || error.hint !== undefined) return error
  const [, hint] = HINTS.find(([pattern]) => pattern.test(error.message)) ?? []
  const { code, message, path } = error
  return hint === undefined ? error : new SourceError(code, message, { cause: error, path, hint })
}

async function withHint<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw hinted(error)
  }
}

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { SourceError } from '@pipe-backup/source'
import { outputOf } from '@pipe-backup/source-command'
import { type ClientOption, optionFile, type SslOptions, sslOptions } from './option-file.ts'

/** How a server is reached, and as whom. */
export interface ServerOptions {
  readonly user?: string | undefined
  /** Reaches the programs on a pipe: not by argument, environment or disk. Without it they look into the user's own option files. */
  readonly password?: string | undefined
  /** Path of the server's socket. */
  readonly socket?: string | undefined
  /** Default: this machine, by its socket. */
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Encrypts the connection. Default: as the client program does by itself. */
  readonly ssl?: SslOptions | undefined
}

/** A program that is on the PATH: MariaDB's and MySQL's go by the same names and know different options. */
export interface ClientProgram {
  readonly name: string
  readonly isMariadb: boolean
  /** Major and minor: 10.11 is [10, 11]. */
  readonly version: readonly [number, number]
}

/**
 * What the programs say of options that are meant for others, and of their own names: no cause of any failure, and it would push the cause
 * out of the few lines that are shown.
 */
export const NOISE: RegExp =
  /unknown (?:variable|option) '(?:--)?loose-|Deprecated program name|^(?:WARNING|\[Warning\])[: ]/i

/** @throws SourceError `command-failed` when none is on the PATH */
export async function findProgram(names: readonly string[]): Promise<ClientProgram> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  for (const name of names) {
    for (const directory of directories) {
      const found = await access(join(directory, name), constants.X_OK).then(
        () => true,
        () => false,
      )
      if (found) return programOf(name, (await outputOf([name, '--no-defaults', '--version'], {})).toString())
    }
  }
  throw new SourceError('command-failed', `neither ${names.join(' nor ')} is on the PATH`, {
    hint: 'Install the client programs of MariaDB or MySQL.',
  })
}

/** @param said - what `--version` prints: `Ver 10.19 Distrib 10.11.6-MariaDB`, `from 11.4.2-MariaDB`, `Ver 8.0.36 for Linux` */
export function programOf(name: string, said: string): ClientProgram {
  const [, major, minor] = /(\d+)\.(\d+)\.\d+/.exec(said) ?? []
  return { name, isMariadb: /mariadb/i.test(said), version: [Number(major ?? 0), Number(minor ?? 0)] }
}

export function isAtLeast(version: readonly [number, number], major: number, minor: number): boolean {
  return version[0] > major || (version[0] === major && version[1] >= minor)
}

/**
 * How to run a client program. The option file comes on standard input: the programs open it by name, which works for a pipe but not
 * for the socket that Node gives a child, hence the shell and `cat` between. With it no other option file is read: a `~/.my.cnf` would win over it.
 */
export function clientCommand(
  program: ClientProgram,
  server: ServerOptions,
  args: readonly string[],
): {
  argv: string[]
  options: { readonly input?: Uint8Array | undefined; readonly ignoreComplaint: RegExp }
} {
  const { own, secret } = connectionOptions(program, server)
  if (secret === undefined)
    return { argv: [program.name, ...own, ...args], options: { ignoreComplaint: NOISE } }
  return {
    argv: ['sh', '-c', 'cat | exec "$0" "$@"', program.name, '--defaults-file=/dev/stdin', ...own, ...args],
    options: { input: secret, ignoreComplaint: NOISE },
  }
}

/**
 * How a client program reaches the server: `own` are arguments, `secret` is the option file, there with a password alone. Without one, the
 * user's own option files are read, and arguments win over what is in them.
 */
export function connectionOptions(
  program: ClientProgram,
  { user, password, socket, host, port, ssl }: ServerOptions,
): { readonly own: string[]; readonly secret: Buffer | undefined } {
  const own = [
    ...(socket === undefined ? [] : [`--socket=${socket}`]),
    ...(host === undefined ? [] : [`--host=${host}`]),
    ...(port === undefined ? [] : [`--port=${port}`]),
    // `localhost` would mean the socket, whatever the port.
    ...(host === undefined ? [] : ['--protocol=TCP']),
  ]
  const options: ClientOption[] = [
    ...(user === undefined ? [] : [['user', user] as const]),
    ...(ssl === undefined ? [] : sslOptions(ssl, program.isMariadb)),
  ]
  if (password !== undefined) return { own, secret: optionFile([...options, ['password', password]]) }
  const asArguments = options.map(([name, value]) =>
    value === undefined ? `--${name}` : `--${name}=${value}`,
  )
  return { own: [...own, ...asArguments], secret: undefined }
}

/** Whatever the user's option files say: `--batch` does not overrule these. */
export const ROWS_ALONE: readonly string[] = [
  '--skip-html',
  '--skip-xml',
  '--skip-vertical',
  '--skip-table',
  '--skip-force',
]

/** The rows that statements give, their columns parted by tabs as they are: ask for HEX() of what may hold a tab. @throws SourceError `command-failed` */
export async function queryRows(
  server: ServerOptions,
  sql: string,
  signal?: AbortSignal,
): Promise<string[][]> {
  const client = await findProgram(['mariadb', 'mysql'])
  const run = clientCommand(client, server, [
    '--batch',
    '--skip-column-names',
    '--raw',
    ...ROWS_ALONE,
    '--default-character-set=utf8mb4',
    `--execute=${sql}`,
  ])
  const output = await outputOf(run.argv, { ...run.options, shownAs: client.name, signal })
  return output
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** A value for SQL, whatever is in it and whatever the server's sql_mode. */
export function sqlText(value: string): string {
  return `_utf8mb4 X'${Buffer.from(value).toString('hex')}'`
}

export function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString()
}

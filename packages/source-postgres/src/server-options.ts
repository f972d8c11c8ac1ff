import { basename, dirname } from 'node:path'
import { SourceError } from '@pipe-backup/source'

/** How a connection is encrypted. */
export interface SslOptions {
  /** Path of the certificates that sign the server's, PEM. Default: those of the system, from version 16 of the client programs on. */
  readonly ca?: string | undefined
  /** Path of the certificate that the server wants of its user, PEM; with `key`. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Whether the server's certificate and its name are checked. Default true with a `ca`. */
  readonly verify?: boolean | undefined
}

/** How a server is reached, and as whom. */
export interface ServerOptions {
  readonly user?: string | undefined
  /** Reaches the programs on a pipe: not by argument, environment or disk. Without it they look into `~/.pgpass`. */
  readonly password?: string | undefined
  /** Directory of the server's socket, or the socket itself: `/run/postgresql`, `/run/postgresql/.s.PGSQL.5433`. It wins over `host`. */
  readonly socket?: string | undefined
  /** Default: this machine, by its socket. */
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Encrypts the connection, or fails. Default: encrypted where the server can. */
  readonly ssl?: SslOptions | undefined
}

/** Variables of a child; `undefined` takes one away that this process has. */
export type Environment = Readonly<Record<string, string | undefined>>

const CONNECT_SECONDS = '30'
const SOCKET = /^\.s\.PGSQL\.(\d+)$/
/** What the user has set up for all his programs, and the configuration has no words for. */
const KEPT: ReadonlySet<string> = new Set(['PGPASSFILE', 'PGSYSCONFDIR'])

/**
 * What a client program has in its environment: where the server is, and nothing else that would change what it does. Variables of this process
 * that libpq reads are taken away, so that a run by a timer and one in a shell do the same.
 * @see https://www.postgresql.org/docs/current/libpq-envars.html
 */
export function environmentOf(
  { user, socket, host, port, ssl }: ServerOptions,
  database: string,
  inherited: Environment = process.env,
): Environment {
  const foreign = Object.keys(inherited).filter((name) => name.startsWith('PG') && !KEPT.has(name))
  const ownPort = socket === undefined ? undefined : SOCKET.exec(basename(socket))?.[1]
  const directory = socket !== undefined && ownPort !== undefined ? dirname(socket) : socket
  return {
    ...Object.fromEntries(foreign.map((name) => [name, undefined])),
    ...(ssl && sslVariables(ssl)),
    PGUSER: user,
    PGHOST: directory ?? host,
    PGPORT: port === undefined ? ownPort : String(port),
    // Read as it is: as an argument, a name with a `=` would be taken for a connection string.
    PGDATABASE: database,
    PGCONNECT_TIMEOUT: CONNECT_SECONDS,
    // Times with a zone are written in it.
    PGTZ: 'UTC',
    LC_ALL: 'C',
  }
}

/**
 * The variables for an encrypted connection.
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */
function sslVariables({
  ca,
  cert,
  key,
  verify = ca !== undefined,
}: SslOptions): Record<string, string | undefined> {
  return {
    PGSSLMODE: verify ? 'verify-full' : 'require',
    // With it, `require` would check the certificate.
    PGSSLROOTCERT: verify ? (ca ?? 'system') : undefined,
    PGSSLCERT: cert,
    PGSSLKEY: key,
  }
}

/** What `PGSERVICE` names in the file. */
export const SERVICE = 'server'
/** libpq refuses a longer line. */
const MAX_PASSWORD_BYTES = 1000

/**
 * A connection service file with nothing but the password: libpq opens it by name, which works for a pipe, as it does not for a password file.
 * @throws SourceError `command-failed` for a password that such a file can't hold
 * @see https://www.postgresql.org/docs/current/libpq-pgservice.html
 */
export function serviceFile(password: string): Buffer {
  if (/[\0\r\n]|\s$/.test(password))
    throw new SourceError('command-failed', 'the password holds a line end, or ends with a blank', {
      hint: 'libpq can not read such a password from a file: choose another one.',
    })
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)
    throw new SourceError('command-failed', `the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  return Buffer.from(`[${SERVICE}]\npassword=${password}\n`)
}

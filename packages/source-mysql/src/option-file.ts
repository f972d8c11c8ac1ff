import { SourceError } from '@pipe-backup/source'

/** How a connection is encrypted. */
export interface SslOptions {
  /** Path of the certificates that sign the server's, PEM. Default: what the client program takes. */
  readonly ca?: string | undefined
  /** Path of the certificate that the server wants of its user, PEM; with `key`. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Whether the server's certificate and its name are checked. Default true with a `ca`, else left to the client program. */
  readonly verify?: boolean | undefined
}

/** One option of a client program, as an option file and the command line have it: `ssl-ca`, and its value where it has one. */
export type ClientOption = readonly [name: string, value?: string]

/**
 * The options of a client program for an encrypted connection.
 * @param isMariadb - whose program it is: MariaDB has a switch where MySQL has `ssl-mode`
 * @see https://mariadb.com/kb/en/securing-connections-for-client-and-server/
 * @see https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#encrypted-connection-options
 */
export function sslOptions(ssl: SslOptions, isMariadb: boolean): ClientOption[] {
  const { ca, cert, key, verify = ca === undefined ? undefined : true } = ssl
  const paths: ClientOption[] = [
    ...(ca === undefined ? [] : [['ssl-ca', ca] as const]),
    ...(cert === undefined ? [] : [['ssl-cert', cert] as const]),
    ...(key === undefined ? [] : [['ssl-key', key] as const]),
  ]
  if (!isMariadb) return [...paths, ['ssl-mode', verify === true ? 'VERIFY_IDENTITY' : 'REQUIRED']]
  if (verify === undefined) return [...paths, ['ssl']]
  return [...paths, ['ssl'], [verify ? 'ssl-verify-server-cert' : 'skip-ssl-verify-server-cert']]
}

/**
 * The text of an option file for a client program.
 * @throws SourceError `unreadable` for a value that such a file can't hold: one with a line end
 * @see https://dev.mysql.com/doc/refman/8.4/en/option-files.html
 */
export function optionFile(options: readonly ClientOption[]): Buffer {
  const lines = options.map(([name, value]) =>
    value === undefined ? name : `${name}=${quoted(name, value)}`,
  )
  return Buffer.from(`${['[client]', ...lines].join('\n')}\n`)
}

/** In double quotes `#` begins no comment and blanks stay; a backslash escapes. */
function quoted(name: string, value: string): string {
  if (/[\0\r\n]/.test(value)) throw new SourceError('unreadable', `the ${name} holds a line end`)
  return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`
}

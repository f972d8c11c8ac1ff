import { readdir, realpath } from 'node:fs/promises'
import { connect } from 'node:net'
import { isAbsolute, join } from 'node:path'
import type { Options } from './ask-options.ts'

/** A server of databases that listens on this machine. */
export interface FoundServer {
  readonly type: 'mysql' | 'postgres'
  /** Where it is, for a person. */
  readonly where: string
  /** How it is reached, as a source of its type is configured. */
  readonly options: Options
}

/** This machine answers at once, or not at all. */
const ANSWER_MS = 500
const MYSQL_SOCKETS = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock']
const MYSQL_PORT = 3306
const POSTGRES_DIRECTORIES = ['/run/postgresql', '/tmp']
const POSTGRES_PORT = 5432

/**
 * Finds MySQL, MariaDB and PostgreSQL by their sockets, or else by their ports: each is only connected to.
 * @param env - MYSQL_UNIX_PORT and PGHOST name other sockets, as for the servers' own clients
 */
export async function findServers(env: NodeJS.ProcessEnv): Promise<readonly FoundServer[]> {
  const servers = [...(await findMysql(env['MYSQL_UNIX_PORT'])), ...(await findPostgres(env['PGHOST']))]
  return servers
}

async function findMysql(named: string | undefined): Promise<readonly FoundServer[]> {
  const sockets = await listening([...(named === undefined ? [] : [named]), ...MYSQL_SOCKETS])
  const found = sockets.map((socket): FoundServer => ({ type: 'mysql', where: socket, options: { socket } }))
  return found.length > 0 ? found : await findByPort('mysql', MYSQL_PORT)
}

async function findPostgres(named: string | undefined): Promise<readonly FoundServer[]> {
  const directories = [...(named !== undefined && isAbsolute(named) ? [named] : []), ...POSTGRES_DIRECTORIES]
  const names = await Promise.all(
    directories.map(async (directory) => {
      const entries = await readdir(directory).catch(() => [])
      return entries.filter((name) => /^\.s\.PGSQL\.\d+$/.test(name)).map((name) => join(directory, name))
    }),
  )
  const sockets = await listening(names.flat())
  const found = sockets.map(
    (socket): FoundServer => ({ type: 'postgres', where: socket, options: { socket } }),
  )
  return found.length > 0 ? found : await findByPort('postgres', POSTGRES_PORT)
}

async function findByPort(type: FoundServer['type'], port: number): Promise<readonly FoundServer[]> {
  const host = '127.0.0.1'
  return (await answers({ host, port })) ? [{ type, where: `${host}:${port}`, options: { host, port } }] : []
}

/** Those at which something listens, each once: distributions have links between them. */
async function listening(sockets: readonly string[]): Promise<readonly string[]> {
  const found = new Map<string, string>()
  for (const path of sockets) {
    const real = await realpath(path).catch(() => undefined)
    if (real !== undefined && !found.has(real) && (await answers({ path }))) found.set(real, path)
  }
  return [...found.values()]
}

async function answers(where: { path: string } | { host: string; port: number }): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ ...where, timeout: ANSWER_MS })
  socket.once('connect', () => resolve(true))
  socket.once('error', () => resolve(false))
  socket.once('timeout', () => resolve(false))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}

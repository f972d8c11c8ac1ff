import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

export interface MariadbServer extends AsyncDisposable {
  readonly socket: string
  readonly port: number
  /** Process id of the server. */
  readonly pid: number
  /** Runs SQL as root; gives what the client prints, tab-separated. @throws Error with the client's message */
  query(sql: string | Buffer, database?: string): string
  stop(signal?: NodeJS.Signals): Promise<void>
}

const START_MS = 30_000

/**
 * Starts a MariaDB server of its own: an empty data directory, a socket and a free port on 127.0.0.1. Root has no password on the socket.
 * @param more - other options of the server, which win
 */
export async function startMariadb(more: readonly string[] = []): Promise<MariadbServer> {
  const directory = mkdtempSync(join(tmpdir(), 'mariadb-'))
  chmodSync(directory, 0o755)
  const data = join(directory, 'data')
  const socket = join(directory, 'socket')
  // A starting server deletes what it takes for temporary tables left in its tmpdir: also those of another that uses the same one.
  const temporary = join(directory, 'tmp')
  mkdirSync(temporary)
  const asUser = process.getuid?.() === 0 ? ['--user=mysql'] : []
  if (asUser.length > 0) execFileSync('chown', ['mysql', directory, temporary])
  execFileSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--tmpdir=${temporary}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      ...asUser,
    ],
    {
      stdio: 'pipe',
    },
  )
  const port = await freePort()
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      ...asUser,
      `--datadir=${data}`,
      `--tmpdir=${temporary}`,
      `--socket=${socket}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--event-scheduler=OFF',
      '--innodb-buffer-pool-size=32M',
      '--innodb-flush-log-at-trx-commit=0',
      '--max-allowed-packet=1G',
      `--pid-file=${join(directory, 'pid')}`,
      ...more,
    ],
    // Not every PATH has the directory of the servers.
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    },
  )
  let complaint = ''
  let failed = false
  server.once('error', (error) => {
    complaint = error.message
    failed = true
  })
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4000)
  })
  const ended = new Promise<void>((resolve) => {
    server.once('close', resolve).once('error', () => resolve())
  })
  // A test run that is killed must not leave the server behind.
  const last = () => server.kill('SIGKILL')
  process.once('exit', last)

  const query = (sql: string | Buffer, database?: string): string => {
    const ran = spawnSync(
      'mariadb',
      [
        '--no-defaults',
        `--socket=${socket}`,
        '--user=root',
        '--batch',
        '--default-character-set=utf8mb4',
        '--max-allowed-packet=1G',
        ...(database === undefined ? [] : [database]),
      ],
      {
        input: sql,
        encoding: 'utf8',
        maxBuffer: 256 * 1024 * 1024,
      },
    )
    if (ran.status !== 0) throw new Error(`mariadb: ${ran.stderr}`, { cause: ran.error })
    return ran.stdout
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    server.kill(signal)
    await ended
    process.off('exit', last)
    rmSync(directory, { recursive: true, force: true })
  }

  for (const deadline = Date.now() + START_MS; ; await sleep(100)) {
    try {
      query('SELECT 1')
      break
    } catch (error) {
      if (!failed && server.exitCode === null && Date.now() < deadline) continue
      await stop('SIGKILL')
      throw new Error(`mariadbd did not start:\n${complaint}`, { cause: error })
    }
  }
  return { socket, port, pid: server.pid ?? 0, query, stop, [Symbol.asyncDispose]: () => stop() }
}

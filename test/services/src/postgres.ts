import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

export interface PostgresServer extends AsyncDisposable {
  /** Directory of its socket, which lets everybody in as whom he says he is. */
  readonly socket: string
  /** On 127.0.0.1, where a password is asked for. */
  readonly port: number
  /** Process id of the server. */
  readonly pid: number
  /** The certificate that signs the server's, PEM. */
  readonly ca: string
  /** Runs SQL as postgres; gives what psql prints, tab-separated. @throws Error with its message */
  query(sql: string | Buffer, database?: string): string
  stop(signal?: NodeJS.Signals): Promise<void>
}

const START_MS = 30_000
const DEBIAN_ROOT = '/usr/lib/postgresql'
/** Of the account that Debian's package makes: a server refuses to run as root. */
const ACCOUNT = 'postgres'

/**
 * Starts a PostgreSQL server of its own: an empty cluster of encoding UTF8, a socket, and a free port on 127.0.0.1 with a certificate for `localhost`.
 * @param more - other settings of the server, `name=value`, which win
 */
export async function startPostgres(more: readonly string[] = []): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'))
  chmodSync(directory, 0o755)
  const at = (name: string): string => join(directory, name)
  const bin = join(DEBIAN_ROOT, newest(readdirSync(DEBIAN_ROOT)), 'bin')
  const account = accountOf(ACCOUNT)
  if (account) chownSync(directory, account.uid, account.gid)
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PG')),
  )
  const asAccount = {
    ...account,
    cwd: directory,
    env: { ...environment, LC_ALL: 'C.UTF-8', HOME: directory },
  }
  const initdb = [
    '--pgdata',
    at('data'),
    '--encoding=UTF8',
    '--auth=trust',
    '--no-sync',
    '--username=postgres',
  ]
  execFileSync(join(bin, 'initdb'), initdb, { ...asAccount, stdio: 'pipe' })
  makeCertificates(directory)
  for (const name of ['server.crt', 'server.key']) {
    copyFileSync(at(name), join(at('data'), name))
    chmodSync(join(at('data'), name), 0o600)
    if (account) chownSync(join(at('data'), name), account.uid, account.gid)
  }
  writeFileSync(
    join(at('data'), 'pg_hba.conf'),
    'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n',
  )
  const port = await freePort()
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    'fsync=off',
    'shared_buffers=16MB',
    'max_wal_size=64MB',
    'ssl=on',
    ...more,
  ]
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', at('data'), ...settings.flatMap((setting) => ['-c', setting])],
    { ...asAccount, stdio: ['ignore', 'ignore', 'pipe'] },
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
  // A test run that is killed must not leave the server behind: without its first process the others end.
  const last = () => server.kill('SIGKILL')
  process.once('exit', last)

  const query = (sql: string | Buffer, database = 'postgres'): string => {
    const ran = spawnSync(
      join(bin, 'psql'),
      ['-X', '-q', '-A', '-t', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-f', '-'],
      {
        input: sql,
        encoding: 'utf8',
        maxBuffer: 256 * 1024 * 1024,
        env: {
          ...environment,
          PGHOST: directory,
          PGPORT: `${port}`,
          PGUSER: 'postgres',
          PGDATABASE: database,
        },
      },
    )
    if (ran.status !== 0) throw new Error(`psql: ${ran.stderr}`, { cause: ran.error })
    return ran.stdout
  }
  const stop = async (signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> => {
    server.kill(signal)
    await ended
    process.off('exit', last)
    rmSync(directory, { recursive: true, force: true })
  }

  for (const deadline = Date.now() + START_MS; ; await sleep(50)) {
    try {
      query('SELECT 1')
      break
    } catch (error) {
      if (!failed && server.exitCode === null && Date.now() < deadline) continue
      await stop('SIGKILL')
      throw new Error(`postgres did not start:\n${complaint}`, { cause: error })
    }
  }
  return {
    socket: directory,
    port,
    pid: server.pid ?? 0,
    ca: at('ca.crt'),
    query,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}

/** Whom a root's server runs as. */
function accountOf(name: string): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (what: string): number => Number(execFileSync('id', [what, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function newest(versions: readonly string[]): string {
  return versions.toSorted((a, b) => Number(b) - Number(a))[0] ?? ''
}

/** An authority, `ca.crt`, and what it has signed for a server called localhost: `server.crt`, `server.key`. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  }
  const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
  openssl(...make, '-subj', '/CN=an authority', '-keyout', 'ca.key', '-out', 'ca.crt')
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-subj', '/CN=localhost']
  openssl(
    ...make,
    ...signed,
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.crt',
  )
}

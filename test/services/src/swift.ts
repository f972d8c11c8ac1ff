import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import type { S3Store } from './s3-store.ts'
import { type ServerProcess, startServer } from './server-process.ts'

/** OpenStack Swift, seen as an S3 store: its proxy with the s3api middleware, and one server each for accounts, containers and objects. */
export interface SwiftServer extends S3Store {
  /** Stops the server of containers, which keeps the listings, while a function runs: they come late, as Swift's do. */
  withLateListings<T>(use: () => Promise<T>): Promise<T>
}

/** Of Debian. */
export const SWIFT_PACKAGES: readonly string[] = [
  'attr',
  'memcached',
  'swift-account',
  'swift-container',
  'swift-object',
  'swift-proxy',
]

const KINDS = ['account', 'container', 'object'] as const
type Kind = (typeof KINDS)[number]

const ACCESS_KEY = 'test:tester'
const SECRET_KEY = 'testers-secret-key'
const DEVICE = 'd1'
/** Its default is 1000: a listing of several pages must not need as many objects. */
const LISTED_AT_ONCE = 100
const START_MS = 60_000
const USER = userInfo().username

const run = promisify(execFile)

/** One copy of everything, on one device. With Debian's own Python: another one does not see Debian's packages. */
const RINGS = `
import sys
from swift.common.ring import RingBuilder
directory = sys.argv[1]
for kind, port in zip(('account', 'container', 'object'), sys.argv[2:]):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': '${DEVICE}'})
    builder.rebalance()
    builder.get_ring().save('%s/%s.ring.gz' % (directory, kind))
`

/** Starts a Swift of its own, with one user: everything in a temporary directory, in memory where it can be, on free ports of 127.0.0.1. */
export async function startSwift(): Promise<SwiftServer> {
  const directory = await directoryWithAttributes()
  const at = (...names: string[]) => join(directory, ...names)
  const started: ServerProcess[] = []
  const stop = async (): Promise<void> => {
    // All of it is thrown away: nobody waits for its tidy end.
    for (const server of started.toReversed()) await server.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const start = async (program: string, args: readonly string[], port: number): Promise<ServerProcess> => {
    const server = await startServer(program, args, port, {}, START_MS)
    started.push(server)
    return server
  }
  const startSwifts = (kind: Kind | 'proxy', port: number, configuration: string): Promise<ServerProcess> => {
    const file = at(`${kind}-server.conf`)
    writeFileSync(file, configuration)
    return start(`swift-${kind}-server`, [file, '--verbose'], port)
  }
  try {
    mkdirSync(at('devices', DEVICE), { recursive: true })
    const ports = { account: await freePort(), container: await freePort(), object: await freePort() }
    await run('/usr/bin/python3', ['-c', RINGS, directory, ...KINDS.map((kind) => String(ports[kind]))])
    const storages = KINDS.map((kind) =>
      startSwifts(kind, ports[kind], storage(directory, kind, ports[kind])),
    )
    const [, containers] = await Promise.all(storages)
    const cachePort = await freePort()
    await start('memcached', ['-l', '127.0.0.1', '-p', String(cachePort), '-u', USER], cachePort)
    const port = await freePort()
    await startSwifts('proxy', port, proxy(directory, port, cachePort))
    return {
      host: '127.0.0.1',
      port,
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      accessKeyId: ACCESS_KEY,
      secretAccessKey: SECRET_KEY,
      withLateListings: async (use) => {
        process.kill(containers?.pid ?? 0, 'SIGSTOP')
        try {
          return await use()
        } finally {
          process.kill(containers?.pid ?? 0, 'SIGCONT')
        }
      },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    const said = started.map((server) => server.said()).join('\n')
    await stop()
    throw new Error(`Swift did not start:\n${said}`, { cause: error })
  }
}

/** Swift keeps what it knows of an object in attributes of its file; not each kernel's memory file system has them. */
async function directoryWithAttributes(): Promise<string> {
  const failures: unknown[] = []
  for (const parent of ['/dev/shm', tmpdir()]) {
    let directory: string | undefined
    try {
      directory = mkdtempSync(join(parent, 'swift-'))
      await run('setfattr', ['--name', 'user.swift', '--value', 'x'.repeat(1000), directory])
      return directory
    } catch (error) {
      failures.push(error)
      if (directory) rmSync(directory, { recursive: true, force: true })
    }
  }
  throw new AggregateError(failures, 'neither /dev/shm nor the temporary directory has attributes')
}

function defaults(directory: string, port: number): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${USER}
swift_dir = ${directory}
log_level = ERROR
`
}

function storage(directory: string, kind: Kind, port: number): string {
  return `${defaults(directory, port)}
devices = ${join(directory, 'devices')}
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
log_requests = false
`
}

/** With what s3api needs, in its order. */
function proxy(directory: string, port: number, cachePort: number): string {
  const plain = ['catch_errors', 'gatekeeper', 'listing_formats', 'bulk', 'slo', 'dlo', 'versioned_writes']
  return `${defaults(directory, port)}
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth bulk slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cachePort}
[filter:s3api]
use = egg:swift#s3api
max_bucket_listing = ${LISTED_AT_ONCE}
[filter:tempauth]
use = egg:swift#tempauth
user_${ACCESS_KEY.replace(':', '_')} = ${SECRET_KEY} .admin
${plain.map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join('')}`
}

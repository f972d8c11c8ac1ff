import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import type { S3Store } from './s3-store.ts'
import { type ServerProcess, startServer } from './server-process.ts'

/** An S3 server: a whole Ceph cluster of one monitor, one object store in memory, and its gateway. */
export interface S3Server extends S3Store {
  /** Runs `radosgw-admin`; gives what it prints. @throws Error with what it says */
  admin(...args: string[]): Promise<string>
  /** Starts another gateway to the same buckets. @param options - of radosgw, `--name=value` @returns its endpoint */
  startGateway(...options: string[]): Promise<string>
}

const START_MS = 120_000
const MEMORY_BYTES = 8 * 1024 ** 3

const run = promisify(execFile)

/** Of the gateway's own key store, to encrypt with on the server. */
export const S3_KMS_KEY_ID = 'testers-key'

/** Starts a Ceph object gateway of its own, with one user: everything in a temporary directory, on free ports of 127.0.0.1. */
export async function startS3(): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'ceph-'))
  const at = (name: string) => join(directory, name)
  const config = at('ceph.conf')
  const started: ServerProcess[] = []
  const stop = async (): Promise<void> => {
    // All of it is in memory and is thrown away: nobody waits for its tidy end.
    for (const server of started.toReversed()) await server.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const ceph = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run(program, ['--conf', config, ...args], { timeout: START_MS })
    return stdout
  }
  const start = async (program: string, args: readonly string[], listensAt: number): Promise<void> => {
    const env = { CEPH_CONF: config }
    started.push(await startServer(program, ['--conf', config, '-f', ...args], listensAt, env, START_MS))
  }
  try {
    const monitorPort = await freePort()
    const fsid = randomUUID()
    writeFileSync(config, configuration(directory, fsid, monitorPort))
    for (const name of ['mon', 'osd', 'run']) mkdirSync(at(name))
    await makeKeys(at('keyring'))
    const monitor = `[v2:127.0.0.1:${monitorPort}]`
    await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', monitor, at('monmap')])
    await ceph('ceph-mon', '--mkfs', '-i', 'a', '--monmap', at('monmap'), '--keyring', at('keyring'))
    await start('ceph-mon', ['-i', 'a'], monitorPort)
    const osd = randomUUID()
    await ceph('ceph', 'osd', 'new', osd, '0')
    await ceph('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', osd)
    // It listens on ports of its own choice: the gateway waits for it.
    await start('ceph-osd', ['-i', '0'], monitorPort)
    const startGateway = async (...options: string[]): Promise<string> => {
      const port = await freePort()
      const frontend = `--rgw_frontends=beast endpoint=127.0.0.1:${port}`
      await start('radosgw', ['-n', 'client.admin', frontend, ...options], port)
      const endpoint = `http://127.0.0.1:${port}`
      await answers(endpoint)
      return endpoint
    }
    const endpoint = await startGateway()
    const accessKeyId = 'TESTERSKEYID00000000'
    const secretAccessKey = 'TestersSecretKeyWith40Characters00000000'
    const admin = (...args: string[]) => ceph('radosgw-admin', ...args)
    const keys = ['--access-key', accessKeyId, '--secret', secretAccessKey]
    await admin(
      'user',
      'create',
      '--uid',
      'tester',
      '--display-name',
      'Tester',
      '--max-buckets',
      '0',
      ...keys,
    )
    return {
      host: '127.0.0.1',
      port: Number(new URL(endpoint).port),
      endpoint,
      region: 'us-east-1',
      accessKeyId,
      secretAccessKey,
      admin,
      startGateway,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    const said = started.map((server) => server.said()).join('\n')
    await stop()
    throw new Error(`Ceph did not start:\n${said}`, { cause: error })
  }
}

/** The monitor takes them over with their rights when it is made. */
async function makeKeys(keyring: string): Promise<void> {
  const all = (who: string, ...parts: string[]) => [
    '-n',
    who,
    '--gen-key',
    ...parts.flatMap((part) => ['--cap', part, 'allow *']),
  ]
  await run('ceph-authtool', ['--create-keyring', keyring, ...all('mon.', 'mon')])
  await run('ceph-authtool', [keyring, ...all('client.admin', 'mon', 'osd')])
  await run('ceph-authtool', [keyring, ...all('osd.0', 'mon', 'osd')])
}

function configuration(directory: string, fsid: string, monitorPort: number): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
ms bind msgr1 = false
keyring = ${directory}/keyring
run dir = ${directory}/run
admin socket = ${directory}/run/$name.sock
pid file =
log file =
log to stderr = true
err to stderr = true
mon data = ${directory}/mon
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = ${MEMORY_BYTES}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
rgw enable usage log = false
rgw gc obj min wait = 60
rgw gc processor period = 60
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${S3_KMS_KEY_ID}=${randomBytes(32).toString('base64')}
`
}

async function answers(endpoint: string): Promise<void> {
  for (const deadline = Date.now() + START_MS; ; await sleep(100)) {
    try {
      await fetch(endpoint)
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

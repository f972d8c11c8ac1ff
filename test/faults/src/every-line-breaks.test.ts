import { FaultProxy } from '@pipe-backup/sink/conformance'
import { dropboxSink } from '@pipe-backup/sink-dropbox'
import { s3Sink } from '@pipe-backup/sink-s3'
import { sftpSink } from '@pipe-backup/sink-sftp'
import { webdavSink } from '@pipe-backup/sink-webdav'
import { startApache, startDropbox, startProftpd, startS3, startSshd } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { breakLine, type Place } from './broken-lines.ts'
import { ALL, SEED } from './fault-sample.ts'

/** A server, and its sink at a port: its own, or that of the proxy. */
interface Server extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly isPlain: boolean
  readonly open: (port: number) => Place['straight']
}

const SFTP = { openssh: startSshd, proftpd: startProftpd }

async function sftp(program: keyof typeof SFTP): Promise<Server> {
  const server = await SFTP[program]()
  const { host, user, identity, hostKey } = server
  const path = server.makePlace().remote
  const open = (port: number) => sftpSink({ name: 'ssh', host, port, user, identity, hostKey, path })
  return { ...server, open, isPlain: false }
}

async function webdav(): Promise<Server> {
  const server = await startApache()
  const { url } = server.makeCollection()
  const { user, password, port: own } = server
  const open = (port: number) =>
    webdavSink({ name: 'dav', user, password, url: url.replace(`:${own}/`, `:${port}/`) })
  return { ...server, open, isPlain: true }
}

async function dropbox(): Promise<Server> {
  const server = await startDropbox()
  const { appKey, refreshToken, host, port } = server
  const open = (at: number) =>
    dropboxSink({
      name: 'box',
      appKey,
      refreshToken,
      path: '/lines',
      apiUrl: server.apiUrl(at),
      contentUrl: server.contentUrl(at),
    })
  return { host, port, open, isPlain: true, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function s3(): Promise<Server> {
  const server = await startS3()
  const { region, accessKeyId, secretAccessKey } = server
  const open = (port: number) =>
    s3Sink({
      name: 'cloud',
      endpoint: `http://127.0.0.1:${port}`,
      region,
      accessKeyId,
      secretAccessKey,
      bucket: 'lines',
      create: true,
    })
  return { ...server, open, isPlain: true }
}

const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  OpenSSH: () => sftp('openssh'),
  'Apache WebDAV': webdav,
  'Dropbox stand-in': dropbox,
  ...(ALL && { proftpd: () => sftp('proftpd'), 'Ceph S3': s3 }),
}

test.for(Object.entries(SERVERS))(
  '%s: wherever its line breaks, an operation ends in time with a fitting error or in full, and a later one works',
  { timeout: 1_800_000, concurrent: true },
  async ([name, start]) => {
    await using server = await start()
    await using proxy = await FaultProxy.start(server)
    await using straight = server.open(server.port)
    await using proxied = server.open(proxy.port)
    const started = performance.now()
    const place = { name, straight, proxied, proxy, isPlain: server.isPlain }
    const { cases, struck, ended, problems } = await breakLine(place, SEED, ALL ? 6 : undefined)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const counts = [...ended].map(([code, count]) => `${code} ${count}`).join(', ')
    process.stdout.write(
      `${name}: ${cases} cases, ${struck} struck (${counts}), seed ${SEED}, ${seconds} s\n`,
    )
    expect(problems).toEqual([])
    expect(struck).toBeGreaterThan(0)
  },
)

import { readFileSync } from 'node:fs'
import type { Sink } from '@pipe-backup/sink'
import { dropboxSink } from '@pipe-backup/sink-dropbox'
import { nextcloudSink } from '@pipe-backup/sink-nextcloud'
import { rsyncSink } from '@pipe-backup/sink-rsync'
import { s3Sink } from '@pipe-backup/sink-s3'
import { sftpSink } from '@pipe-backup/sink-sftp'
import { webdavSink } from '@pipe-backup/sink-webdav'
import {
  type DavServer,
  startApache,
  startDropbox,
  startNextcloud,
  startRsyncd,
  startS3,
  startSabreDav,
  startSshd,
} from '@pipe-backup-test/services'
import { execa } from 'execa'

/** How the same files get to the same server without this program. */
export interface Rival {
  readonly name: string
  /** @param directory - of the files */
  put(directory: string): Promise<unknown>
  /** @param directory - an empty one, for what `put` has stored */
  get?(directory: string): Promise<unknown>
  /** One large file. */
  stream?(file: string): Promise<unknown>
}

/** A sink on a server that runs on this machine, and who does the same. */
export interface Contest extends AsyncDisposable {
  readonly server: string
  readonly sink: Sink
  readonly rival: Rival
}

/** How many files go at a time, here and there. */
export const AT_ONCE = 3

/** rsync sends whole files: a stream is in memory before it goes. */
const SPOOL_BYTES = 1024 ** 3

/** Each starts its server when it is called. */
export const contests: readonly (() => Promise<Contest>)[] = [
  async () => {
    const s3 = await startS3()
    const { endpoint, region, accessKeyId, secretAccessKey } = s3
    const sink = s3Sink({
      name: 's3',
      bucket: 'ours',
      create: true,
      endpoint,
      region,
      accessKeyId,
      secretAccessKey,
    })
    const rival = rclone('s3', {
      provider: 'Ceph',
      endpoint,
      region,
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
    })
    return contest('Ceph RGW', sink, rival('theirs'), s3)
  },
  async () => davContest('Apache mod_dav', await startApache()),
  async () => davContest('sabre/dav', await startSabreDav()),
  async () => {
    const cloud = await startNextcloud()
    const { path } = cloud.makeFolder()
    const { url: server, user, password } = cloud
    const sink = nextcloudSink({ name: 'nextcloud', server, user, password, path })
    const rival = rclone('webdav', {
      vendor: 'nextcloud',
      url: `${server}/remote.php/dav/files/${user}/${path}`,
      user,
      pass: await obscured(password),
    })
    return contest('Nextcloud on sabre/dav', sink, rival('theirs'), cloud)
  },
  async () => {
    const box = await startDropbox({ commitMs: 0 })
    const sink = dropboxSink({
      name: 'dropbox',
      appKey: box.appKey,
      refreshToken: box.refreshToken,
      path: '/ours',
      apiUrl: box.apiUrl(),
      contentUrl: box.contentUrl(),
    })
    return contest('Dropbox (stand-in)', sink, curlToDropbox(box), box)
  },
  async () => {
    const ssh = await startSshd()
    const { host, port, user, identity, hostKey } = ssh
    const sink = sftpSink({ name: 'sftp', host, port, user, identity, hostKey, path: ssh.makePlace().remote })
    return contest('OpenSSH', sink, scp(ssh), ssh)
  },
  async () => {
    const ssh = await startSshd()
    const { host, port, user, identity, hostKey } = ssh
    const target = `${user}@${host}:${ssh.makePlace().remote}`
    const sink = rsyncSink({ name: 'rsync', target, port, identity, hostKey, spoolBytes: SPOOL_BYTES })
    const rival = rsync(`${user}@${host}:${ssh.makePlace().remote}/`, ['-e', sshCommand(ssh)])
    return contest('sshd', sink, rival, ssh)
  },
  async () => {
    const daemon = await startRsyncd()
    const { host, port, user, password } = daemon
    const target = (module: string): string => `rsync://${user}@${host}:${port}/${module}/`
    const sink = rsyncSink({
      name: 'rsync',
      target: target(daemon.makeModule().name),
      password,
      spoolBytes: SPOOL_BYTES,
    })
    const rival = rsync(target(daemon.makeModule().name), [], { RSYNC_PASSWORD: password })
    return contest('rsync daemon', sink, rival, daemon)
  },
]

function contest(server: string, sink: Sink, rival: Rival, running: AsyncDisposable): Contest {
  return {
    server,
    sink,
    rival,
    [Symbol.asyncDispose]: async () => {
      await sink[Symbol.asyncDispose]()
      await running[Symbol.asyncDispose]()
    },
  }
}

async function davContest(name: string, server: DavServer): Promise<Contest> {
  const { user, password } = server
  const sink = webdavSink({ name: 'webdav', url: server.makeCollection().url, user, password })
  const options = { vendor: 'other', url: server.makeCollection().url, user, pass: await obscured(password) }
  return contest(name, sink, rclone('webdav', options)('theirs'), server)
}

async function obscured(password: string): Promise<string> {
  const { stdout } = await execa('rclone', ['obscure', '-'], { input: password })
  return stdout
}

/** @param options - of rclone's backend */
function rclone(backend: string, options: Readonly<Record<string, string>>): (place: string) => Rival {
  const env: Readonly<Record<string, string | undefined>> = {
    RCLONE_CONFIG: '/dev/null',
    // It can't take the one of a machine behind a proxy, and the server speaks plain HTTP.
    AWS_CA_BUNDLE: undefined,
    RCLONE_CONFIG_IT_TYPE: backend,
    ...Object.fromEntries(
      Object.entries(options).map(([name, value]) => [`RCLONE_CONFIG_IT_${name.toUpperCase()}`, value]),
    ),
  }
  const run = (...args: string[]): Promise<unknown> => execa('rclone', args, { env })
  return (place) => ({
    name: 'rclone',
    put: (directory) =>
      run('copy', '--ignore-times', `--transfers=${AT_ONCE}`, directory, `it:${place}/files`),
    get: (directory) => run('copy', `--transfers=${AT_ONCE}`, `it:${place}/files`, directory),
    stream: (file) => execa('rclone', ['rcat', `it:${place}/stream`], { env, inputFile: file }),
  })
}

/** Its API by curl, one request for each file, one after the other: of several at once Dropbox refuses some. */
function curlToDropbox(box: Awaited<ReturnType<typeof startDropbox>>): Rival {
  return {
    name: 'curl, one by one',
    put: async (directory) => {
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: box.refreshToken,
        client_id: box.appKey,
      })
      const answer = await fetch(`${box.apiUrl()}/oauth2/token`, { method: 'POST', body })
      const { access_token: token } = (await answer.json()) as { access_token: string }
      const files = readFileSync(`${directory}/.list`, 'utf8').split('\n')
      for (const file of files) {
        const argument = { path: `/theirs/${file}`, mode: 'overwrite', mute: true }
        const headers = [
          `Authorization: Bearer ${token}`,
          'Content-Type: application/octet-stream',
          `Dropbox-API-Arg: ${JSON.stringify(argument)}`,
        ]
        await execa('curl', [
          '--fail',
          '--silent',
          '--show-error',
          '--request',
          'POST',
          '--data-binary',
          `@${directory}/${file}`,
          ...headers.flatMap((header) => ['--header', header]),
          `${box.contentUrl()}/2/files/upload`,
        ])
      }
    },
  }
}

type Ssh = Awaited<ReturnType<typeof startSshd>>

const sshOptions = ({ identity }: Ssh): string[] =>
  [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
    `IdentityFile=${identity}`,
  ].flatMap((option) => ['-o', option])

function sshCommand(ssh: Ssh): string {
  return ['ssh', '-p', String(ssh.port), ...sshOptions(ssh)].join(' ')
}

function scp(ssh: Ssh): Rival {
  const place = ssh.makePlace().remote
  const remote = (path: string): string => `${ssh.user}@${ssh.host}:${place}/${path}`
  const run = (...args: string[]): Promise<unknown> =>
    execa('scp', ['-q', '-P', String(ssh.port), ...sshOptions(ssh), ...args])
  return {
    name: 'scp, one call',
    put: async (directory) => await run('-r', directory, remote('')),
    get: async (directory) => await run('-r', remote('files'), directory),
    stream: (file) => run(file, remote('stream')),
  }
}

function rsync(to: string, options: readonly string[], env: Readonly<Record<string, string>> = {}): Rival {
  const run = (...args: string[]): Promise<unknown> =>
    execa('rsync', ['--archive', '--whole-file', ...options, ...args], { env })
  return {
    name: 'rsync, one call',
    put: (directory) => run('--ignore-times', `${directory}/`, to),
    get: (directory) => run(to, directory),
    stream: (file) => run('--ignore-times', file, to),
  }
}

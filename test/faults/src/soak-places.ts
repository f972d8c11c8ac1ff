import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { s3Sink } from '@pipe-backup/sink-s3'
import type { Sandbox } from '@pipe-backup-test/e2e'
import {
  type ApacheServer,
  type DropboxServer,
  type RsyncDaemon,
  type S3Server,
  type SshServer,
  startApache,
  startDropbox,
  startRsyncd,
  startS3,
  startSshd,
} from '@pipe-backup-test/services'

export const PLACE_KINDS = ['local', 'sftp', 'rsync', 'webdav', 'dropbox', 's3'] as const
export type PlaceKind = (typeof PLACE_KINDS)[number]

/** A place for a vault, beside one on a disk. */
export interface Place {
  readonly kind: PlaceKind
  /** A sink, as configured. */
  readonly config: object
  /** Lets everything that dead processes have left behind count for nothing, as a day does. */
  readonly forgetSessions: () => void | Promise<void>
}

/** Servers of every kind. */
export class PlaceServers implements AsyncDisposable {
  readonly #ssh: SshServer
  readonly #rsync: RsyncDaemon
  readonly #apache: ApacheServer
  readonly #dropbox: DropboxServer
  readonly #s3: S3Server
  #made = 0

  static async start(): Promise<PlaceServers> {
    return new PlaceServers(
      await startSshd({ chroot: true }),
      await startRsyncd(),
      await startApache(),
      await startDropbox(),
      await startS3(),
    )
  }

  private constructor(
    ssh: SshServer,
    rsync: RsyncDaemon,
    apache: ApacheServer,
    dropbox: DropboxServer,
    s3: S3Server,
  ) {
    this.#ssh = ssh
    this.#rsync = rsync
    this.#apache = apache
    this.#dropbox = dropbox
    this.#s3 = s3
  }

  place(kind: PlaceKind, sandbox: Sandbox): Place {
    const name = 'other'
    const inDirectory = (config: object, directory: string): Place => ({
      kind,
      config: { ...config, name },
      forgetSessions: () => rmSync(join(directory, 'sessions'), { recursive: true, force: true }),
    })
    switch (kind) {
      case 'local': {
        const path = sandbox.path('sinks', name)
        return inDirectory({ type: 'local', path }, path)
      }
      case 'sftp': {
        const { host, port, user, identity, hostKey } = this.#ssh
        const { local, remote } = this.#ssh.makePlace()
        return inDirectory({ type: 'sftp', host, port, user, identity, hostKey, path: remote }, local)
      }
      case 'rsync': {
        const { host, port, user, password } = this.#rsync
        const module = this.#rsync.makeModule()
        return inDirectory(
          { type: 'rsync', target: `rsync://${user}@${host}:${port}/${module.name}`, password },
          module.local,
        )
      }
      case 'webdav': {
        const { user, password } = this.#apache
        const { url, local } = this.#apache.makeCollection()
        return inDirectory({ type: 'webdav', url, user, password }, local)
      }
      case 'dropbox': {
        const { account, appKey, refreshToken } = this.#dropbox
        const path = `/vault-${++this.#made}`
        return {
          kind,
          config: {
            type: 'dropbox',
            name,
            appKey,
            refreshToken,
            path,
            apiUrl: this.#dropbox.apiUrl(),
            contentUrl: this.#dropbox.contentUrl(),
          },
          forgetSessions: () => {
            for (const file of account.files)
              if (file.path.startsWith(`${path}/sessions/`)) account.delete(file.path, undefined)
          },
        }
      }
      case 's3': {
        const { endpoint, region, accessKeyId, secretAccessKey } = this.#s3
        const prefix = `vault-${++this.#made}`
        const options = { name, endpoint, region, accessKeyId, secretAccessKey, bucket: 'soak', prefix }
        return {
          kind,
          config: { type: 's3', ...options },
          forgetSessions: async () => {
            await using sink = s3Sink(options)
            for await (const { key } of sink.list('sessions/')) await sink.delete(key)
          },
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#ssh, this.#rsync, this.#apache, this.#dropbox, this.#s3])
      await server[Symbol.asyncDispose]()
  }
}

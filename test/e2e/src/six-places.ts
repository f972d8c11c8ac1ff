import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sink } from '@pipe-backup/sink'
import { s3Sink } from '@pipe-backup/sink-s3'
import {
  type DropboxServer,
  type NextcloudServer,
  type RsyncDaemon,
  type S3Server,
  type SshServer,
  startDropbox,
  startNextcloud,
  startRsyncd,
  startS3,
  startSshd,
} from '@pipe-backup-test/services'
import type { Sandbox } from './sandbox.ts'

export const PLACES = ['disk', 'aws', 'cloud', 'box', 'ssh', 'rs'] as const
export type PlaceName = (typeof PLACES)[number]

/** Servers of every kind, started once. */
export class SixServers implements AsyncDisposable {
  readonly s3: S3Server
  readonly nextcloud: NextcloudServer
  readonly dropbox: DropboxServer
  readonly ssh: SshServer
  readonly rsync: RsyncDaemon

  static async start(): Promise<SixServers> {
    const starting = [
      startS3(),
      startNextcloud(),
      startDropbox(),
      startSshd({ chroot: true }),
      startRsyncd(),
    ] as const
    return new SixServers(...(await Promise.all(starting)))
  }

  private constructor(
    s3: S3Server,
    nextcloud: NextcloudServer,
    dropbox: DropboxServer,
    ssh: SshServer,
    rsync: RsyncDaemon,
  ) {
    this.s3 = s3
    this.nextcloud = nextcloud
    this.dropbox = dropbox
    this.ssh = ssh
    this.rsync = rsync
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.s3, this.nextcloud, this.dropbox, this.ssh, this.rsync].map((server) =>
        server[Symbol.asyncDispose](),
      ),
    )
  }
}

let vaults = 0

/** Six places of one vault: one on a disk, and one on a server of each kind. */
export class SixPlaces {
  readonly #servers: SixServers
  readonly #sandbox: Sandbox
  readonly #ssh: { readonly local: string; readonly remote: string }
  readonly #rsync: { readonly name: string; readonly local: string }
  readonly #folder: { readonly path: string; readonly local: string }
  readonly #number = ++vaults

  constructor(servers: SixServers, sandbox: Sandbox) {
    this.#servers = servers
    this.#sandbox = sandbox
    this.#ssh = servers.ssh.makePlace()
    this.#rsync = servers.rsync.makeModule()
    this.#folder = servers.nextcloud.makeFolder()
  }

  /** As they are configured. @param more - options of single ones, or others in their place */
  configs(more: Partial<Record<PlaceName, object>> = {}): object[] {
    const { s3, nextcloud, dropbox, ssh, rsync } = this.#servers
    const { endpoint, region, accessKeyId, secretAccessKey } = s3
    const { host, port, user, identity, hostKey } = ssh
    const configs: Record<PlaceName, object> = {
      disk: { type: 'local', path: this.#sandbox.path('disk') },
      aws: {
        type: 's3',
        bucket: 'six',
        prefix: `vault-${this.#number}`,
        endpoint,
        region,
        accessKeyId,
        secretAccessKey,
      },
      cloud: {
        type: 'nextcloud',
        server: nextcloud.url,
        user: nextcloud.user,
        password: nextcloud.appPassword,
        path: this.#folder.path,
      },
      box: {
        type: 'dropbox',
        appKey: dropbox.appKey,
        refreshToken: dropbox.refreshToken,
        path: `/vault-${this.#number}`,
        apiUrl: dropbox.apiUrl(),
        contentUrl: dropbox.contentUrl(),
      },
      ssh: { type: 'sftp', host, port, user, identity, hostKey, path: this.#ssh.remote },
      rs: {
        type: 'rsync',
        target: `rsync://${rsync.user}@${rsync.host}:${rsync.port}/${this.#rsync.name}`,
        password: rsync.password,
      },
    }
    return PLACES.map((name) => ({ ...configs[name], name, ...more[name] }))
  }

  /** Flips a bit in the middle of every pack of a place, behind its back. */
  async rot(place: PlaceName): Promise<void> {
    switch (place) {
      case 'disk':
        return rotDirectory(this.#sandbox.path('disk'))
      case 'ssh':
        return rotDirectory(this.#ssh.local)
      case 'rs':
        return rotDirectory(this.#rsync.local)
      case 'cloud':
        return rotDirectory(this.#folder.local)
      case 'box':
        for (const { path } of this.#servers.dropbox.account.files)
          if (path.startsWith(`/vault-${this.#number}/packs/`)) this.#servers.dropbox.spoil(path)
        return
      case 'aws': {
        const { endpoint, region, accessKeyId, secretAccessKey } = this.#servers.s3
        const prefix = `vault-${this.#number}`
        await using sink: Sink = s3Sink({
          name: 'aws',
          bucket: 'six',
          prefix,
          endpoint,
          region,
          accessKeyId,
          secretAccessKey,
        })
        for await (const { key } of sink.list('packs/')) await sink.put(key, flipped(await sink.get(key)))
      }
    }
  }
}

function rotDirectory(directory: string): void {
  for (const entry of readdirSync(join(directory, 'packs'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    writeFileSync(path, flipped(readFileSync(path)))
  }
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = copy.length >> 1
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

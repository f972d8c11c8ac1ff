import type { Sink } from '@pipe-backup/sink'
import { checkCredentials, Dav, davSink, findBase, HttpClient } from '@pipe-backup/sink-webdav'
import { findServer } from './find-server.ts'
import { NextcloudUploads } from './nextcloud-uploads.ts'
import { serverUrl } from './server-url.ts'
import { Settling } from './settling.ts'

export interface NextcloudSinkOptions {
  readonly name: string
  /** cloud.example.com, or https://host/path where Nextcloud is below a path. Without a scheme: https. */
  readonly server: string
  /** As at the login: the user's name or address. */
  readonly user: string
  /** An app password is best; with a second factor at the login nothing else will do. */
  readonly password: string
  /** Of the folder, below the user's files. Default: these themselves. */
  readonly path?: string | undefined
  /** Make the folder when it is missing. Default false: one that was mistyped must not become a new one. */
  readonly create?: boolean | undefined
  /** Objects that are larger go in chunks of so many bytes. Default 32 MiB; from 5 MiB to 1 GiB. */
  readonly chunkBytes?: number | undefined
  /** Delete for good, instead of into the server's trash. Default false. */
  readonly skipTrash?: boolean | undefined
  /** How long the server may go on with a move after it, or a proxy before it, has given no answer. Default 10 minutes. */
  readonly settleMs?: number | undefined
  /** Certificate authorities to trust instead of the system's: PEM. */
  readonly ca?: string | undefined
  /** Show the password to a server without TLS, in the clear. Default false, save on this machine's own addresses. */
  readonly plainHttp?: boolean | undefined
}

const MIB = 1024 * 1024
/** Whole packs are below it, and it is below what proxies take: Cloudflare 100 MB. */
const CHUNK_BYTES = 32 * MIB
/** What version 2 takes, save the last chunk. */
const MIN_CHUNK_BYTES = 5 * MIB
/** It takes 5 GB; memory does not. */
const MAX_CHUNK_BYTES = 1024 * MIB
/** Chunks of a stream that is very long grow up to it: below the limits of proxies, unless `chunkBytes` is not. */
const GROWN_CHUNK_BYTES = 64 * MIB
const SETTLE_MS = 600_000
/** apps/files_trashbin/lib/Storage.php */
const SKIP_TRASH = { 'X-NC-Skip-Trashbin': 'true' }

/**
 * A folder of a Nextcloud's user as a sink. Where its files are, and what it can do, is asked of the server.
 * @throws TypeError that names the option
 */
export function nextcloudSink(options: NextcloudSinkOptions): Sink {
  const { name, user, create = false, chunkBytes = CHUNK_BYTES, skipTrash = false } = options
  const root = serverUrl(options.server)
  checkCredentials('nextcloud', options)
  if (!(Number.isInteger(chunkBytes) && chunkBytes >= MIN_CHUNK_BYTES && chunkBytes <= MAX_CHUNK_BYTES)) {
    throw new TypeError('nextcloud: `chunkBytes` is from 5 MiB to 1 GiB')
  }
  const path = (options.path ?? '').split('/').filter((part) => part !== '')
  if (path.some((part) => part === '.' || part === '..'))
    throw new TypeError('nextcloud: `path` has no dots for parts')
  const http = new HttpClient(root, { ...options, atOnce: true })
  return davSink({
    name,
    open: async (signal) => {
      const server = await findServer(http, root, user, name, signal)
      const below = path.map((part) => `${encodeURIComponent(part)}/`).join('')
      const files = new Dav(http, new URL(below, server.files), name)
      await findBase(files, create, signal)
      const settling = new Settling(files, options.settleMs ?? SETTLE_MS)
      const limit = server.chunkLimit ?? Number.POSITIVE_INFINITY
      const uploads = new NextcloudUploads({
        files,
        uploads: new Dav(http, server.uploads, name),
        chunkBytes: server.hasChunks ? Math.min(chunkBytes, limit) : undefined,
        maxChunkBytes: Math.min(Math.max(chunkBytes, GROWN_CHUNK_BYTES), limit),
        settling,
      })
      return {
        dav: files,
        uploads,
        deleteHeaders: skipTrash ? SKIP_TRASH : {},
        discardHeaders: SKIP_TRASH,
        settle: (move) => settling.wait(move),
      }
    },
    close: () => http[Symbol.dispose](),
  })
}

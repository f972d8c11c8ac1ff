import { type BigIntStats, closeSync, fstatSync } from 'node:fs'
import type { EntryReader, FileEntry, FileIdentity } from '@pipe-backup/source'
import { isSystemError, replaced, toFailure, toSourceError } from './failure.ts'
import type { Links } from './links.ts'
import type { Opener } from './opener.ts'
import type { Owners } from './owners.ts'
import { SteadyReader } from './steady-reader.ts'

/** What the entries of one walk share. */
export interface Walk {
  readonly owners: Owners
  readonly links: Links
  readonly opener: Opener
  readonly signal: AbortSignal | undefined
}

/** A regular file as the walk saw it. A class, so that a hundred thousand of them share one `open`. */
export class WalkedFile implements FileEntry {
  readonly type = 'file' as const
  readonly path: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly user: string
  readonly group: string
  readonly mtimeNs: bigint
  readonly size: number
  readonly identity: FileIdentity
  readonly sparse: boolean
  readonly #absolute: Buffer
  readonly #device: bigint
  /** Its other names must not point at an entry that has no bytes. */
  readonly #forget: (() => void) | undefined
  readonly #walk: Walk

  constructor(absolute: Buffer, path: Uint8Array, stat: BigIntStats, walk: Walk) {
    this.path = path
    this.mode = Number(stat.mode) & 0o7777
    this.uid = Number(stat.uid)
    this.gid = Number(stat.gid)
    this.user = walk.owners.user(this.uid)
    this.group = walk.owners.group(this.gid)
    this.mtimeNs = stat.mtimeNs
    this.size = Number(stat.size)
    this.identity = { ctimeNs: stat.ctimeNs, inode: stat.ino }
    this.sparse = Number(stat.blocks) * 512 < this.size
    this.#absolute = absolute
    this.#device = stat.dev
    this.#forget = stat.nlink > 1n ? walk.links.forgetter(stat) : undefined
    this.#walk = walk
  }

  /**
   * As `FileEntry.open`. Only the very file that was listed is opened: other bytes under this entry's owner and mode
   * could show a secret to someone who may not read it.
   * @throws SourceError `vanished` when it is gone or something else is in its place, `unreadable`
   */
  open(): EntryReader {
    const { opener, signal } = this.#walk
    signal?.throwIfAborted()
    const startedMs = Date.now()
    let fd: number | undefined
    try {
      fd = opener.open(this.#absolute, this.uid)
      const stat = fstatSync(fd, { bigint: true })
      if (stat.ino !== this.identity.inode || stat.dev !== this.#device || !stat.isFile()) {
        throw toSourceError(replaced('file'), this.path)
      }
      return new SteadyReader(fd, stat, { startedMs, path: this.path, signal, onFailure: this.#forget })
    } catch (cause) {
      if (fd !== undefined) closeSync(fd)
      this.#forget?.()
      if (!isSystemError(cause)) throw cause
      // ELOOP: a symbolic link stands there (O_NOFOLLOW). ENXIO: a socket.
      const isOther = cause.code === 'ELOOP' || cause.code === 'ENXIO'
      throw toSourceError(isOther ? replaced('file', cause) : toFailure(cause, 'not opened'), this.path)
    }
  }
}

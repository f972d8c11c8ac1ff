import type { BigIntStats } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attribute, EntryReader, FileEntry, FileIdentity, ReadContext } from '@pipe-backup/source'
import type { AttributeReader } from './attributes.ts'
import { msUntilTelling } from './clock-tick.ts'
import { type Failure, isSystemError, replaced, report, toFailure, toSourceError } from './failure.ts'
import type { FileCalls } from './file-calls.ts'
import { type Links, linkKey } from './links.ts'
import type { Opener } from './opener.ts'
import type { Owners } from './owners.ts'
import { SteadyReader } from './steady-reader.ts'
import { type Now, run, type Steps, wait } from './steps.ts'

/** What the entries of one walk share. */
export interface Walk {
  readonly owners: Owners
  readonly links: Links
  readonly opener: Opener
  readonly attributes: AttributeReader
  readonly onProblem: ReadContext['onProblem']
  readonly signal: AbortSignal | undefined
}

/** How long a file is asked for that another program has on lease: the kernel ends a lease after 45 s, see lease-break-time in proc(5). */
const LEASE_MS = 60_000
const ASK_AGAIN_MS = 50
/** How often a file is opened again that was replaced before its attributes were read. */
const MAX_REPLACED = 3

/** How long one stamp is waited for: far more than a tick, as clocks are set and timers go off early. */
const CLOCK_MS = 1_000

/** What an opening may still wait for. */
interface Patience {
  forClock: boolean
  forLease: boolean
  /** The stamp that was waited for: once that is old enough nothing more is, so a file that changes all the time is read at last. */
  stampNs?: bigint | undefined
  /** How often the file was replaced meanwhile. */
  replaced: number
}

/** A regular file as the walk saw it. A class, so that a hundred thousand of them share one `open`. */
export class WalkedFile implements FileEntry {
  readonly type = 'file' as const
  readonly path: Uint8Array
  // Own fields that `open` may bring up to date: who copies this object must do so after it.
  mode: number
  uid: number
  gid: number
  user: string
  group: string
  mtimeNs: bigint
  size: number
  identity: FileIdentity
  sparse: boolean
  /** Read when the file is opened, and not before: an unchanged file that is not opened is not asked. */
  attributes: readonly Attribute[] | undefined
  readonly #absolute: Buffer
  /** Set when this is the first name of several: they must not point at an entry that has other bytes, or none. */
  #linkKey: string | undefined
  readonly #walk: Walk
  readonly #calls: FileCalls
  #isReported = false

  constructor(absolute: Buffer, path: Uint8Array, stat: BigIntStats, walk: Walk, calls: FileCalls) {
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
    this.#linkKey = stat.nlink > 1n ? linkKey(stat) : undefined
    this.#walk = walk
    this.#calls = calls
  }

  /**
   * As `FileEntry.open`. Programs that care replace a file by renaming another over it: whichever regular file is there
   * now is opened, and this entry then has its owner, mode, times and extended attributes. The bytes of one under the mode of the other could
   * show a secret to someone who may not read it.
   *
   * A file that was changed at this very moment is waited for until its next change is sure to show (50 ms), and one
   * that another program has on lease until that has given it back, a minute at most.
   * @throws SourceError `vanished` when it is gone or no regular file is in its place, `unreadable`
   */
  open(): EntryReader | Promise<EntryReader> {
    const patience: Patience = { forClock: true, forLease: true, replaced: 0 }
    const opened = run(this.#tryOpen(patience))
    return opened instanceof Promise || typeof opened === 'number'
      ? this.#openLater(opened, patience)
      : opened
  }

  async #openLater(first: Now<EntryReader | number>, patience: Patience): Promise<EntryReader> {
    const { signal } = this.#walk
    const untilMs = performance.now() + LEASE_MS
    const clockUntilMs = performance.now() + CLOCK_MS
    let opened = await first
    while (typeof opened === 'number') {
      // An abort ends the wait; the next try throws its reason.
      await sleep(opened, undefined, signal && { signal }).catch(() => undefined)
      patience.forLease = performance.now() < untilMs
      patience.forClock = performance.now() < clockUntilMs
      opened = await run(this.#tryOpen(patience))
    }
    return opened
  }

  /** @returns for how many milliseconds to wait before the next try, where there is the patience */
  *#tryOpen(patience: Patience): Steps<EntryReader | number> {
    const { opener, signal, attributes } = this.#walk
    const calls = this.#calls
    signal?.throwIfAborted()
    const startedMs = Date.now()
    let fd: number | undefined
    try {
      fd = yield* opener.open(this.#absolute, this.uid, calls)
      const stat = yield* wait(calls.fstat(fd))
      if (!stat.isFile()) throw toSourceError(replaced('file'), this.path)
      const waitMs = mayWaitFor(stat, patience) ? msUntilTelling(stat.ctimeNs, startedMs) : 0
      if (waitMs > 0) {
        patience.stampNs = stat.ctimeNs
        yield* wait(calls.close(fd))
        return waitMs
      }
      const found = yield* attributes.readOpen(this.#absolute, stat, calls)
      if (found === undefined) {
        if (++patience.replaced > MAX_REPLACED) throw toSourceError(replaced('file'), this.path)
        yield* wait(calls.close(fd))
        return ASK_AGAIN_MS
      }
      this.#update(stat)
      this.attributes = found.attributes
      if (found.failure !== undefined) this.#report(found.failure)
      return new SteadyReader(fd, stat, calls, {
        startedMs,
        path: this.path,
        signal,
        isComplete: found.failure === undefined,
        onFailure: this.#linkKey === undefined ? undefined : () => this.#forget(),
      })
    } catch (cause) {
      if (fd !== undefined) yield* wait(calls.close(fd))
      // O_NONBLOCK does not wait for the holder of a lease (a Samba or NFS server), it only signals him: see fcntl(2).
      if (patience.forLease && isSystemError(cause) && cause.code === 'EAGAIN') return ASK_AGAIN_MS
      this.#forget()
      if (!isSystemError(cause)) throw cause
      // ELOOP: a symbolic link stands there (O_NOFOLLOW). ENXIO: a socket.
      const isOther = cause.code === 'ELOOP' || cause.code === 'ENXIO'
      throw toSourceError(isOther ? replaced('file', cause) : toFailure(cause, 'not opened'), this.path)
    }
  }

  #update(stat: BigIntStats): void {
    if (this.#linkKey !== undefined && this.#linkKey !== linkKey(stat)) this.#forget()
    const mode = Number(stat.mode) & 0o7777
    const uid = Number(stat.uid)
    const gid = Number(stat.gid)
    const { ctimeNs, inode } = this.identity
    const isAsListed = stat.ctimeNs === ctimeNs && stat.ino === inode && mode === this.mode
    if (isAsListed && uid === this.uid && gid === this.gid) return
    this.mode = mode
    this.uid = uid
    this.gid = gid
    this.user = this.#walk.owners.user(uid)
    this.group = this.#walk.owners.group(gid)
    this.mtimeNs = stat.mtimeNs
    this.size = Number(stat.size)
    this.identity = { ctimeNs: stat.ctimeNs, inode: stat.ino }
    this.sparse = Number(stat.blocks) * 512 < this.size
  }

  /** Once, however often it is opened. */
  #report(failure: Failure): void {
    if (this.#isReported) return
    this.#isReported = true
    report(failure, this.path, this.#walk.onProblem)
  }

  #forget(): void {
    if (this.#linkKey !== undefined) this.#walk.links.forget(this.#linkKey)
    this.#linkKey = undefined
  }
}

function mayWaitFor({ size, ctimeNs }: BigIntStats, { forClock, stampNs = ctimeNs }: Patience): boolean {
  return forClock && size > 0n && ctimeNs === stampNs
}

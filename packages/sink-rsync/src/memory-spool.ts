import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, readlink, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SinkError, type SinkOptions, type UploadBody } from '@pipe-backup/sink'
import { Budget, type Share } from './budget.ts'
import { cleanUp } from './cleanup-watchdog.ts'

/** Types of file systems that are memory, as statfs(2) reports them: TMPFS_MAGIC, RAMFS_MAGIC. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
/** The rest of a file system is other people's. */
const SHARE_OF_FREE = 0.45
/** Waiting shorter than this says nothing about a rate. */
const PACED_MS = 100

/** An object in the spool, in a directory of its own: `7/packs/ab/abcd`. */
export interface SpooledObject {
  readonly key: string
  /** Its name for rsync's `--files-from`: what follows `/./` is the name on the other side. */
  readonly source: string
  readonly sizeBytes: number
  /** How fast the bytes were let in, in bytes a second; infinite when nobody held them back. */
  readonly pace: number
}

/** A private directory in memory, for files that rsync sends and receives: objects never touch a disk. */
export class MemorySpool implements AsyncDisposable {
  /** Whose it is, for messages. */
  readonly sink: string
  readonly path: string
  /** For what is sent, and for what is received: neither can make the other wait for ever. */
  readonly up: Budget
  readonly down: Budget
  #made = 0

  /**
   * @param directory - on a tmpfs or ramfs. Default: `/dev/shm`, then the user's runtime directory
   * @param bytes - of objects that may be in it, for each direction
   * @throws SinkError `full` when there is no file system in memory; the error of one that can't be written
   */
  static async open(sink: string, directory: string | undefined, bytes: number): Promise<MemorySpool> {
    const base = await findMemory(sink, directory)
    // A process, and the namespace in which it has this number.
    const namespace = /\d+/.exec(await readlink('/proc/self/ns/pid').catch(() => ''))?.[0]
    const own = `pipe-backup-rsync-${namespace ?? 0}-`
    if (namespace !== undefined) await removeStale(base, own)
    const path = await mkdtemp(join(base, `${own}${process.pid}-`))
    cleanUp('directory', path)
    const { bavail, bsize } = await statfs(path)
    return new MemorySpool(sink, path, Math.min(bytes, Math.floor(bavail * bsize * SHARE_OF_FREE)))
  }

  private constructor(sink: string, path: string, bytes: number) {
    this.sink = sink
    this.path = path
    this.up = new Budget(sink, bytes)
    this.down = new Budget(sink, bytes)
  }

  /**
   * Waits for so many bytes of one of its budgets, and makes a directory for them, of that name below `path`.
   * @param undo - gives both back
   * @throws SinkError `too-large`; the signal's reason
   */
  async take(
    undo: AsyncDisposableStack,
    budget: Budget,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly name: string; readonly share: Share }> {
    const share = undo.use(await budget.take(bytes, signal))
    const name = `${++this.#made}`
    undo.defer(() => rm(join(this.path, name), { recursive: true, force: true }))
    await mkdir(join(this.path, name), { mode: 0o700 })
    return { name, share }
  }

  /**
   * Writes an object, when there is room for it. A stream has all of the room until its length is known: two that grow would wait for
   * each other.
   * @param undo - removes it
   * @throws SinkError `too-large`; the signal's reason
   */
  async write(
    undo: AsyncDisposableStack,
    key: string,
    body: UploadBody,
    { onBytes, signal }: SinkOptions,
  ): Promise<SpooledObject> {
    const { totalBytes } = this.up
    const { name, share } = await this.take(undo, this.up, body.bytes?.length ?? totalBytes, signal)
    const path = join(this.path, name, key)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await using file = await open(path, 'wx', 0o600)
    const beganAt = performance.now()
    let sizeBytes = 0
    let heldBackMs = 0
    for await (const piece of body.unwatched()) {
      sizeBytes += piece.length
      if (sizeBytes > totalBytes) throw this.up.tooLarge(sizeBytes)
      const from = performance.now()
      await onBytes?.(piece.length)
      heldBackMs += performance.now() - from
      signal?.throwIfAborted()
      await file.appendFile(piece)
    }
    share.shrinkTo(sizeBytes)
    const isPaced = heldBackMs >= Math.max(PACED_MS, (performance.now() - beganAt) / 2)
    const pace = isPaced ? (sizeBytes / heldBackMs) * 1000 : Number.POSITIVE_INFINITY
    return { key, source: `${name}/./${key}`, sizeBytes, pace }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

async function findMemory(sink: string, wanted: string | undefined): Promise<string> {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`
  for (const directory of wanted === undefined ? ['/dev/shm', runtime] : [wanted]) {
    // Not there is not in memory.
    const found = await statfs(directory).catch(() => undefined)
    if (found && IN_MEMORY.has(found.type)) return directory
  }
  throw new SinkError('full', `${wanted ?? '/dev/shm'} is not a file system in memory (tmpfs)`, {
    sink,
    hint: 'rsync sends files, and objects must not be written to a disk: mount a tmpfs, and name it as `spool`.',
  })
}

/** What killed processes have left, when nothing of them was left to remove it; that of other users can't be removed. */
async function removeStale(base: string, own: string): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const pid = name.startsWith(own) ? Number.parseInt(name.slice(own.length), 10) : Number.NaN
    if (Number.isNaN(pid) || existsSync(`/proc/${pid}`)) continue
    await rm(join(base, name), { recursive: true, force: true }).catch(() => undefined)
  }
}
